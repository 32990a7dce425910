#pragma once

#include <string>

#include <curl/curl.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"

namespace det::agent {

struct Answer {
  long status = 0;  // 0: the connection failed
  std::string body;

  Value json() const { return ParseJson(body).value_or(Value()); }
  std::string reason() const {
    const Value value = json();
    const Value* found = value.FindPath("error.reason");
    return found == nullptr ? "" : found->as_string();
  }
};

// A trial's side of the relay. One thread an object.
class RelayClient {
 public:
  RelayClient(std::string socket, std::string authorization)
      : socket_(std::move(socket)), authorization_(std::move(authorization)) {}

  Answer Get(const std::string& path) const { return Call(path, nullptr); }
  Answer Post(const std::string& path, const std::string& body) const { return Call(path, &body); }
  // {"seq":N,"progress":{"fraction":F}}
  Answer Report(int64_t seq, double fraction = 0.5) const {
    return Post("/v1/reports",
                StrCat(R"({"seq":)", seq, R"(,"progress":{"fraction":)", fraction, "}}"));
  }

 private:
  static size_t Append(char* data, size_t size, size_t count, void* out) {
    static_cast<std::string*>(out)->append(data, size * count);
    return size * count;
  }

  Answer Call(const std::string& path, const std::string* body) const {
    Answer answer;
    CURL* curl = curl_easy_init();
    curl_slist* headers = curl_slist_append(nullptr, "Expect:");
    if (!authorization_.empty())
      headers = curl_slist_append(headers, StrCat("Authorization: ", authorization_).c_str());
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, StrCat("http://det", path).c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    if (body != nullptr) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
    }
    if (curl_easy_perform(curl) == CURLE_OK)
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return answer;
  }

  const std::string socket_;
  const std::string authorization_;
};

}  // namespace det::agent
