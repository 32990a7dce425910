#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/mutex.h"
#include "common/base/secret.h"
#include "common/clock/clock.h"
#include "common/storage/store.h"

namespace det::agent {

// The checkpoints of one run that are stored in a bucket. The trial writes folders into one of its
// own; this brings them to the bucket and back (docs/adr/0014). What it knows is on disk, so it can
// be made anew at any time. Every method but Cancel blocks; any thread.
//
// A record, a file of the checkpoint's name, is on disk before the first byte of a checkpoint goes
// up. So what nobody will ever count is found, whoever dies when. Hand over the checkpoint before
// it is reported: afterwards it is never taken back.
class RunCheckpoints {
 public:
  struct Options {
    std::string folder;                           // the trial's: one folder a checkpoint
    std::string records;                          // another folder, made when it is missing
    std::string url;                              // of the bucket, as storage::ParseUrl takes it
    std::map<std::string, Secret> secrets;        // what the URL refers to
    std::string secrets_fault;                    // why they can't be had; "" they can
    const Clock* clock = nullptr;                 // outlives this
    const std::atomic<bool>* stopping = nullptr;  // ends CleanUp, too; outlives this
    absl::Duration patience = absl::Minutes(2);   // with a bucket that can't be reached
    absl::Duration last_patience = absl::Seconds(20);  // of CleanUp
  };
  explicit RunCheckpoints(Options options);

  // Stores the folder of this name, whole. What an earlier try left is replaced; a checkpoint that
  // is stored already is so still. Errors besides those of the store: ALREADY_EXISTS
  // (CHECKPOINT_EXISTS) when somebody else has the name, NOT_FOUND (NO_SUCH_FILE) when the trial
  // wrote no such folder, CANCELLED. After an error there is none of it to count.
  absl::StatusOr<storage::FileMap> Upload(const std::string& uuid);
  // It will be reported, or was: the record no longer asks for its removal.
  absl::Status HandOver(const std::string& uuid);
  // It is reported: the trial's folder of it goes.
  void RemoveLocal(const std::string& uuid);

  // Brings a checkpoint from the bucket to the trial's folder, unless it is there.
  absl::Status Fetch(const std::string& uuid);

  // Ends what is under way; no other begins.
  void Cancel();
  // After Cancel: waits for what was under way, and takes from the bucket what was never handed
  // over. Try again after an error.
  absl::Status CleanUp();

 private:
  class Busy;
  absl::StatusOr<std::unique_ptr<storage::CheckpointStore>> Open(const std::atomic<bool>* cancel,
                                                                 absl::Duration patience) const;
  absl::StatusOr<storage::FileMap> Bring(const storage::CheckpointStore& store,
                                         const std::string& uuid);
  // Of what is in the bucket under this name, and of the trial's folder: the files, when they are
  // stored already; nothing when they are to be brought there.
  absl::StatusOr<storage::FileMap> Stored(const std::string& uuid,
                                          const storage::FileMap& there,
                                          const absl::StatusOr<storage::FileMap>& local) const;
  absl::Status TakeBack(const std::string& uuid) const;
  std::string Local(const std::string& uuid) const;
  std::string Record(const std::string& uuid) const;
  std::string HandedOver(const std::string& uuid) const;

  const Options options_;
  std::atomic<bool> cancel_{false};
  Mutex mutex_;
  CondVar idle_;
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Will the same call succeed later, for all that can be told?
bool MayPass(const absl::Status& status);

}  // namespace det::agent
