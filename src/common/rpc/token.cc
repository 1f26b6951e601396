#include "common/rpc/token.h"

#include <fcntl.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace coxswain::rpc {
namespace {

constexpr size_t kTokenBytes = 32;
constexpr size_t kLongestToken = 1024;
constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kScheme = "Bearer ";

absl::Status Failed(const std::string& what, const std::string& path, int error) {
  std::string text = what + " " + path + ": " + std::strerror(error);
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

absl::StatusOr<std::string> RandomHex() {
  unsigned char bytes[kTokenBytes];
  if (getentropy(bytes, sizeof bytes) != 0) {
    return absl::UnavailableError(std::string("no random bytes for a token: ") +
                                  std::strerror(errno));
  }
  std::string hex;
  for (unsigned char byte : bytes) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

// Writes `text` to a new file and syncs it. 0 or an errno.
int WriteNew(const std::string& path, const std::string& text) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int error = 0;
  if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    error = errno != 0 ? errno : ENOSPC;
  }
  if (error == 0 && fsync(fd) != 0) error = errno;
  close(fd);
  if (error != 0) unlink(path.c_str());
  return error;
}

int SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path();
  int fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed("cannot read token file", path, errno);
  char buffer[4096];
  ssize_t count = read(fd, buffer, sizeof buffer);
  int error = errno;
  close(fd);
  if (count < 0) return Failed("cannot read token file", path, error);
  std::string text(buffer, static_cast<size_t>(count));
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.pop_back();
  if (text.empty() || !CheckTokenText(text, path).ok()) {
    return absl::FailedPreconditionError("token file " + path +
                                         " holds no token: expected one word of printable ASCII");
  }
  return text;
}

absl::StatusOr<std::string> MakeOrReadToken(const std::string& path) {
  absl::StatusOr<std::string> present = ReadToken(path);
  if (present.ok() || !absl::IsNotFound(present.status())) return present;
  absl::StatusOr<std::string> token = RandomHex();
  if (!token.ok()) return token;
  // link(2) makes the name appear with its whole content, or not at all when another was first.
  std::string draft = path + "." + token->substr(0, 8) + ".new";
  if (int error = WriteNew(draft, *token + "\n"); error != 0) {
    return Failed("cannot write token file", draft, error);
  }
  int error = link(draft.c_str(), path.c_str()) == 0 ? 0 : errno;
  unlink(draft.c_str());
  if (error == EEXIST) return ReadToken(path);
  if (error == 0) error = SyncFolderOf(path);
  if (error != 0) return Failed("cannot write token file", path, error);
  return token;
}

absl::Status CheckTokenText(std::string_view token, std::string_view where) {
  const auto wrong = [&](const std::string& found) {
    return absl::InvalidArgumentError("the token in " + std::string(where) + " " + found +
                                      ", expected one word of printable ASCII");
  };
  if (token.size() > kLongestToken) return wrong("is longer than 1024 bytes");
  for (size_t i = 0; i < token.size(); ++i) {
    const auto byte = static_cast<unsigned char>(token[i]);
    if (byte > ' ' && byte < 0x7f) continue;
    const std::string place = " (byte " + std::to_string(i + 1) + ")";
    if (byte == ' ') return wrong("holds a space" + place);
    return wrong((byte < 0x80 ? "holds a control character" : "holds a byte that is not ASCII") +
                 place);
  }
  return absl::OkStatus();
}

bool SameToken(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = difference | static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

void Authorize(grpc::ClientContext* call, const std::string& token) {
  if (!token.empty()) call->AddMetadata("authorization", std::string(kScheme) + token);
}

grpc::Status CheckToken(const grpc::ServerContextBase& call, const std::string& token) {
  const auto& metadata = call.client_metadata();
  auto found = metadata.find("authorization");
  if (found == metadata.end()) {
    return {grpc::StatusCode::UNAUTHENTICATED,
            "no token: set COX_TOKEN or pass --token-file (the coordinator keeps it in the file "
            "`token` of its data directory)"};
  }
  std::string_view value(found->second.data(), found->second.size());
  if (value.substr(0, kScheme.size()) != kScheme) {
    return {grpc::StatusCode::UNAUTHENTICATED,
            "metadata `authorization` is not of the form `Bearer TOKEN`"};
  }
  if (token.empty() || !SameToken(value.substr(kScheme.size()), token)) {
    return {grpc::StatusCode::UNAUTHENTICATED,
            "wrong token: it must be that of the coordinator's data directory (file `token`)"};
  }
  return grpc::Status::OK;
}

}  // namespace coxswain::rpc
