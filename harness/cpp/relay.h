#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace det::harness {

struct RelayCall {
  std::string method;  // "GET" or "POST"
  std::string path;    // with the query
  std::string body;
  // For one attempt; a long poll needs more than it asks the relay to wait.
  std::chrono::seconds timeout{60};
};

// One connection to the agent's relay: HTTP/1.1 on a unix socket, kept open between calls.
class Relay {
 public:
  // A relay that waits in silence does not tell standard error that it waits.
  enum class Voice { kTells, kSilent };

  Relay(const std::string& socket, const std::string& token, Voice voice);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // The body of the answer. Tries again, with growing pauses of 2 s at most, for as long as the
  // relay can't be reached or asks for it (429, 5xx). nullopt: canceled. Throws Error when the
  // relay refuses the call, StorageError when that is the bucket's fault. One thread at a time.
  std::optional<std::string> Call(const RelayCall& call);

  // Ends the call in progress and all later ones, soon. From any thread.
  void Cancel();

 private:
  class Connection;
  class Patience;
  const std::unique_ptr<Connection> connection_;
  const Voice voice_;
};

}  // namespace det::harness
