// The programs that the benchmarks' trials run: small, so that what is measured is what runs them.
//   stamp FILE               writes when it began (CLOCK_MONOTONIC, in nanoseconds) to FILE
//   flood LINES FILE         the same, then prints so many numbered lines of 120 bytes
//   drip PER_SECOND SECONDS  prints the time, so often
//   report COUNT FILE        posts so many reports to the relay, writes how long each took to FILE
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr int64_t kNanos = 1000000000;
constexpr size_t kLineBytes = 120;  // with its newline

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanos + now.tv_nsec;
}

// Whole or not there.
bool WriteFile(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  FILE* file = std::fopen(temporary.c_str(), "w");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written && std::rename(temporary.c_str(), path.c_str()) == 0;
}

int Flood(int64_t lines) {
  std::string out;
  for (int64_t i = 1; i <= lines; ++i) {
    std::string line = "line " + std::to_string(i) + " ";
    line.resize(kLineBytes - 1, 'x');
    out.append(line).push_back('\n');
    if (out.size() < (64 << 10) && i < lines) continue;
    for (size_t done = 0; done < out.size();) {
      const ssize_t put = write(STDOUT_FILENO, out.data() + done, out.size() - done);
      if (put <= 0) return 1;
      done += static_cast<size_t>(put);
    }
    out.clear();
  }
  return 0;
}

int Drip(int64_t per_second, int64_t seconds) {
  const int64_t begun = Now();
  for (int64_t i = 0; i < per_second * seconds; ++i) {
    const int64_t due = begun + i * kNanos / per_second;
    const timespec until{.tv_sec = due / kNanos, .tv_nsec = due % kNanos};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) continue;
    std::printf("tick %lld\n", static_cast<long long>(Now()));
    std::fflush(stdout);
  }
  return 0;
}

int ConnectTo(const char* path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return -1;
  return fd;
}

// One request and its answer, whose body comes with its header or right after it.
bool Post(int fd, const std::string& request) {
  if (write(fd, request.data(), request.size()) != static_cast<ssize_t>(request.size()))
    return false;
  std::string in;
  char buffer[4096];
  while (true) {
    const size_t end = in.find("\r\n\r\n");
    const size_t length = in.find("Content-Length: ");
    if (end != std::string::npos && length != std::string::npos &&
        in.size() >= end + 4 + std::strtoul(in.c_str() + length + 16, nullptr, 10)) {
      return in.find(" 200 ") < end;
    }
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0) return false;
    in.append(buffer, static_cast<size_t>(got));
  }
}

int Report(int64_t count, const std::string& path) {
  const char* relay = std::getenv("DET_RELAY");
  const char* token = std::getenv("DET_TOKEN");
  const int fd = relay == nullptr || token == nullptr ? -1 : ConnectTo(relay);
  if (fd < 0) return 1;
  std::string times;
  for (int64_t i = 1; i <= count; ++i) {
    const std::string body = R"({"metrics":{"group":"training","steps_completed":)" +
                             std::to_string(i) + R"(,"metrics_json":"{\"loss\":0.5}"}})";
    const std::string request =
        std::string("POST /v1/reports HTTP/1.1\r\nHost: det\r\n") + "Authorization: Bearer " +
        token +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    const int64_t begun = Now();
    if (!Post(fd, request)) return 1;
    times.append(std::to_string(Now() - begun)).push_back('\n');
  }
  return WriteFile(path, times) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t begun = Now();
  const std::string verb = argc > 2 ? argv[1] : "";
  if (verb == "stamp") return WriteFile(argv[2], std::to_string(begun) + "\n") ? 0 : 1;
  if (argc > 3) {
    const int64_t count = std::atoll(argv[2]);
    if (verb == "flood") {
      return WriteFile(argv[3], std::to_string(begun) + "\n") ? Flood(count) : 1;
    }
    if (verb == "drip") return Drip(std::max<int64_t>(count, 1), std::atoll(argv[3]));
    if (verb == "report") return Report(count, argv[3]);
  }
  std::fprintf(stderr, "usage: det-bench-child stamp|flood|drip|report ...\n");
  return 2;
}
