// The cluster's bearer token: who has it may do everything. It lives in a file of mode 0600 in the
// coordinator's data directory, and goes along every call as `authorization: Bearer TOKEN`.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grpc {
class ClientContext;
class ServerContextBase;
class Status;
}  // namespace grpc

namespace coxswain::rpc {

// The token in `path`; made first (32 random bytes, as hex) if there is no such file. Of several
// processes that call it at once, all get the same token. The file is on disk when it returns.
absl::StatusOr<std::string> MakeOrReadToken(const std::string& path);

// NotFound: no such file; FailedPrecondition: it is empty or holds anything but one word of
// printable ASCII; others: it could not be read. The text names the file, never its content.
absl::StatusOr<std::string> ReadToken(const std::string& path);

// OK, or InvalidArgument that begins "the token in `where` " and never shows the token: gRPC ends
// the process over anything but printable ASCII, so no other text may reach Authorize. An empty
// token is fine.
absl::Status CheckTokenText(std::string_view token, std::string_view where);

// Compares in a time that depends on the lengths only.
bool SameToken(std::string_view a, std::string_view b);

// Adds the token, as CheckTokenText wants it, to a call; an empty one adds nothing.
void Authorize(grpc::ClientContext* call, const std::string& token);

// OK, or UNAUTHENTICATED with what to do. An empty `token` lets nobody in.
grpc::Status CheckToken(const grpc::ServerContextBase& call, const std::string& token);

}  // namespace coxswain::rpc
