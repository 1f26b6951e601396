#include "common/rpc/channel.h"

#include <absl/synchronization/mutex.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "common/base/percent_text.h"
#include "common/rpc/convert.h"

namespace coxswain::rpc {
namespace {

constexpr std::string_view kUnix = "unix:";

bool IsV4(const std::string& host) {
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

// An open descriptor of `folder`, kept for the life of the process; -1 and errno on failure.
int KeepOpen(const std::string& folder) {
  static std::mutex mutex;
  static std::map<std::string, int>* const open_folders = new std::map<std::string, int>();
  std::lock_guard lock(mutex);
  auto it = open_folders->find(folder);
  if (it != open_folders->end()) {
    struct stat kept, now;
    if (stat(folder.c_str(), &now) == 0 && fstat(it->second, &kept) == 0 &&
        kept.st_ino == now.st_ino && kept.st_dev == now.st_dev) {
      return it->second;
    }
    close(it->second);  // the folder was removed and made anew
    open_folders->erase(it);
  }
  int fd = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) open_folders->emplace(folder, fd);
  return fd;
}

}  // namespace

absl::StatusOr<std::string> ShortSocketPath(const std::string& path) {
  if (path.size() < sizeof(sockaddr_un::sun_path)) return path;
  std::filesystem::path whole(path);
  int fd = KeepOpen(whole.parent_path());
  if (fd < 0) {
    return absl::NotFoundError("cannot open the folder of socket " + path + ": " +
                               std::strerror(errno));
  }
  std::string name = "/proc/self/fd/" + std::to_string(fd) + "/" + whole.filename().string();
  if (name.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError("the file name of socket " + path + " is too long");
  }
  return name;
}

absl::StatusOr<std::string> TargetOf(const std::string& address) {
  if (address.compare(0, kUnix.size(), kUnix) == 0) {
    absl::StatusOr<std::string> path = ShortSocketPath(address.substr(kUnix.size()));
    if (!path.ok()) return path.status();
    return std::string(kUnix) + base::PercentEncoded(*path, "/");  // gRPC decodes it
  }
  if (!address.empty() && address[0] == '[') return "ipv6:" + address;
  size_t colon = address.rfind(':');
  if (colon != std::string::npos && IsV4(address.substr(0, colon))) return "ipv4:" + address;
  return "dns:///" + address;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const base::Deadlines& deadlines) {
  QuietLibraries();
  absl::StatusOr<std::string> target = TargetOf(address);
  if (!target.ok()) return target.status();
  auto ms = [](base::Duration d) {
    return static_cast<int>(std::chrono::ceil<base::milliseconds>(d).count());
  };
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMaxMessageBytes);
  args.SetMaxSendMessageSize(kMaxMessageBytes);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, ms(deadlines.ReconnectFirst()));
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, ms(deadlines.Connect()));
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, ms(deadlines.ReconnectLongest()));
  if (address.compare(0, kUnix.size(), kUnix) != 0) {
    args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ms(deadlines.KeepAlive()));
    args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(deadlines.KeepAlive()));
    args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  }
  return grpc::CreateCustomChannel(*target, grpc::InsecureChannelCredentials(), args);
}

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      Utf8(std::string(status.message())));
}

std::string ReasonOf(const grpc::Status& status) {
  // gRPC nests its reasons; the last one is the system's.
  constexpr std::string_view kConnect = "Failed to connect to remote host: ";
  std::string text = status.error_message();
  if (size_t at = text.rfind(kConnect); at != std::string::npos) {
    text = text.substr(at + kConnect.size());
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  // "DNS resolution failed for node7:7070: C-ares status is not ARES_SUCCESS qtype=AAAA ...".
  if (text.find("C-ares") != std::string::npos || text.find("DNS resolution") == 0) {
    text = "the host name cannot be resolved";
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    text = "it does not know this call: it is another server, or one of another version";
  }
  if (text.empty()) text = status.ok() ? "the other side ended the stream" : "no reason given";
  return text;
}

std::string WhyFailed(const std::string& address, const grpc::Status& status) {
  return address + ": " + ReasonOf(status);
}

void QuietLibraries() {
  static const bool done = [] {
    // Debian's libraries look for deadlocks at every lock of gRPC's: 5 % of a busy coordinator.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    if (std::getenv("GRPC_VERBOSITY") == nullptr && std::getenv("GRPC_TRACE") == nullptr) {
      gpr_set_log_function([](gpr_log_func_args* args) {  // what it says before it aborts is told
        if (std::strstr(args->message, "assertion failed") == nullptr) return;
        std::fprintf(stderr, "%s:%d: %s\n", args->file, args->line, args->message);
      });
      google::protobuf::SetLogHandler(nullptr);
    }
    return true;
  }();
  (void)done;
}

}  // namespace coxswain::rpc
