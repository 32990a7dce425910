#include "harness/cpp/relay.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <utility>

#include <curl/curl.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/un.h>

#include "harness/cpp/det.h"

namespace det::harness {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{2000};
// An agent that restarts is back before anyone needs to know.
constexpr milliseconds kQuietWait{5000};
constexpr long kStorageStatus = 424;  // a checkpoint's bucket, not the report, is at fault
constexpr size_t kAnswerBytesMax = 64 << 20;

struct Answer {
  long status = 0;   // 0: the relay was not reached
  std::string body;  // of status 0: why
};

// libcurl must be made ready once in a process, before any thread uses it.
void InitCurl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw Error("libcurl can't be used: " + std::to_string(ready));
}

// CURL and CURLM are both void: the deleters need types of their own.
struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiFree {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

size_t OnBytes(char* bytes, size_t size, size_t count, void* out) {
  auto* body = static_cast<std::string*>(out);
  if (body->size() + size * count > kAnswerBytesMax) return 0;
  body->append(bytes, size * count);
  return size * count;
}

// Programs that the trial starts must not inherit the connection.
int OnSocket(void* /*context*/, curl_socket_t fd, curlsocktype /*purpose*/) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

// {"error": {"reason": "NO_SUCH_GROUP", "message": "..."}}, or whatever else came.
std::string ErrorText(const RelayCall& call, const Answer& answer) {
  std::string text = answer.body.substr(0, 500);
  const nlohmann::json json = nlohmann::json::parse(answer.body, nullptr, false);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    const auto& error = json["error"];
    const std::string reason = error.value("reason", nlohmann::json()).is_string()
                                   ? error["reason"].get<std::string>() + ": "
                                   : "";
    if (error.value("message", nlohmann::json()).is_string()) {
      text = reason + error["message"].get<std::string>();
    }
    if (error.value("hint", nlohmann::json()).is_string()) {
      text += " (" + error["hint"].get<std::string>() + ")";
    }
  }
  return "the agent refuses " + call.method + " " + call.path.substr(0, call.path.find('?')) +
         " (" + std::to_string(answer.status) + "): " + text;
}

}  // namespace

// A curl handle that another thread can interrupt.
class Relay::Connection {
 public:
  Connection(const std::string& socket, const std::string& token);

  Answer Perform(const RelayCall& call);
  void Cancel();
  bool canceled() const { return canceled_; }
  // True when canceled meanwhile.
  bool Pause(milliseconds time);

 private:
  void AddHeader(const std::string& header);
  void Prepare(const RelayCall& call, Answer* answer);
  CURLcode Drive();

  std::unique_ptr<CURLM, MultiFree> multi_;
  std::unique_ptr<CURL, EasyFree> easy_;
  std::unique_ptr<curl_slist, ListFree> headers_;
  char why_[CURL_ERROR_SIZE] = {};
  std::atomic<bool> canceled_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

Relay::Connection::Connection(const std::string& socket, const std::string& token) {
  // Else it would look like a relay that is away, and be waited for.
  if (socket.empty() || socket.size() >= sizeof(sockaddr_un::sun_path)) {
    throw Error("DET_RELAY is no path of a unix socket: \"" + socket + "\"");
  }
  InitCurl();
  multi_.reset(curl_multi_init());
  easy_.reset(curl_easy_init());
  if (multi_ == nullptr || easy_ == nullptr) throw Error("libcurl can't be used: no memory");
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 5L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why_);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBytes);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &OnSocket);
  AddHeader("Authorization: Bearer " + token);
  AddHeader("Content-Type: application/json");
  AddHeader("Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
}

void Relay::Connection::AddHeader(const std::string& header) {
  curl_slist* longer = curl_slist_append(headers_.get(), header.c_str());
  if (longer == nullptr) throw Error("libcurl can't be used: no memory");
  static_cast<void>(headers_.release());
  headers_.reset(longer);
}

void Relay::Connection::Prepare(const RelayCall& call, Answer* answer) {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, ("http://det" + call.path).c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, static_cast<long>(call.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer->body);
  if (call.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
}

CURLcode Relay::Connection::Drive() {
  int running = 1;
  while (running > 0 && !canceled_) {
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return CURLE_FAILED_INIT;
    // Wakes for the socket, for curl's own timers, and for Cancel.
    if (running > 0) curl_multi_poll(multi_.get(), nullptr, 0, 60000, nullptr);
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
  if (message == nullptr || message->msg != CURLMSG_DONE) return CURLE_ABORTED_BY_CALLBACK;
  return message->data.result;
}

Answer Relay::Connection::Perform(const RelayCall& call) {
  Answer answer;
  Prepare(call, &answer);
  why_[0] = '\0';
  if (curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) {
    throw Error("libcurl can't be used");
  }
  const CURLcode code = Drive();
  if (code == CURLE_OK) {
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  } else {
    answer.body = why_[0] != '\0' ? why_ : curl_easy_strerror(code);
  }
  curl_multi_remove_handle(multi_.get(), easy_.get());
  return answer;
}

void Relay::Connection::Cancel() {
  {
    const std::lock_guard lock(mutex_);
    canceled_ = true;
  }
  changed_.notify_all();
  curl_multi_wakeup(multi_.get());
}

bool Relay::Connection::Pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return canceled_.load(); });
}

// The waits of one call, and what is said about them.
class Relay::Patience {
 public:
  explicit Patience(Voice voice) : voice_(voice), begin_(std::chrono::steady_clock::now()) {}

  milliseconds NextPause(const Answer& answer) {
    const auto waited = std::chrono::steady_clock::now() - begin_;
    if (voice_ == Voice::kTells && !told_ && waited >= kQuietWait) {
      told_ = true;
      std::fprintf(stderr,
                   "det: waiting for the agent (%s)\n",
                   answer.status == 0 ? answer.body.c_str()
                                      : ("status " + std::to_string(answer.status)).c_str());
    }
    return std::exchange(pause_, std::min(pause_ * 2, kLongestPause));
  }
  void Over() const {
    if (told_) std::fprintf(stderr, "det: the agent is back\n");
  }

 private:
  const Voice voice_;
  const std::chrono::steady_clock::time_point begin_;
  milliseconds pause_ = kFirstPause;
  bool told_ = false;
};

Relay::Relay(const std::string& socket, const std::string& token, Voice voice)
    : connection_(std::make_unique<Connection>(socket, token)), voice_(voice) {}

Relay::~Relay() = default;

std::optional<std::string> Relay::Call(const RelayCall& call) {
  Patience patience(voice_);
  while (!connection_->canceled()) {
    Answer answer = connection_->Perform(call);
    if (connection_->canceled()) break;
    if (answer.status >= 200 && answer.status < 300) {
      patience.Over();
      return std::move(answer.body);
    }
    if (answer.status == kStorageStatus) throw StorageError(ErrorText(call, answer));
    if (answer.status != 0 && answer.status != 429 && answer.status < 500) {
      throw Error(ErrorText(call, answer));
    }
    if (connection_->Pause(patience.NextPause(answer))) break;
  }
  return std::nullopt;
}

void Relay::Cancel() {
  connection_->Cancel();
}

}  // namespace det::harness
