#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/value.h"
#include "common/net/http_server.h"

namespace det::harness {

// A relay as docs/trial-contract.md has it, with the faults that a test asks for. Any thread may
// call it.
class FakeRelay {
 public:
  // Answers to GET /v1/info.
  struct Info {
    std::string hparams_json = "{}";
    std::string checkpoint_directory;
    std::string latest_checkpoint;
    int64_t steps_completed = 0;
    int64_t last_seq = 0;
  };

  FakeRelay(std::string path, Info info) : path_(std::move(path)), info_(std::move(info)) {}
  ~FakeRelay() { Stop(); }

  void Start();
  void Stop();  // cuts all connections; what was taken stays taken
  const std::string& path() const { return path_; }

  // The next `count` requests get this status and have no effect.
  void FailNext(int count, int status);
  // Every report gets 503 and is not taken.
  void RefuseReports();
  // Reports are taken, their answers kept back.
  void KeepAnswersBack();
  // Says "leave" to those who ask, and to those who ask later.
  void Preempt();

  std::vector<Value> reports() const;  // taken, in order
  int refused() const;
  int duplicates() const;
  int acks() const;
  int polls() const;
  // Waits until `condition` holds; false when that takes too long. It may call the others.
  bool Wait(const std::function<bool()>& condition) const;

 private:
  void Handle(const HttpRequest& request, HttpServer::Responder responder);
  HttpResponse Report(const HttpRequest& request);
  HttpResponse InfoResponse() const;
  void Poll(HttpServer::Responder responder);

  const std::string path_;
  const Info info_;
  mutable std::recursive_mutex mutex_;
  mutable std::condition_variable_any changed_;
  int failures_ = 0;
  int failure_status_ = 0;
  bool refuse_ = false;
  int refused_ = 0;
  bool keep_back_ = false;
  bool preempt_ = false;
  std::vector<Value> reports_;
  int duplicates_ = 0;
  int acks_ = 0;
  int polls_ = 0;
  std::vector<HttpServer::Responder> held_;
  std::unique_ptr<HttpServer> server_;
};

inline constexpr char kFakeToken[] = "token-of-the-run";

}  // namespace det::harness
