// How clients connect: plaintext, no proxies, no service config look-ups, keep-alives derived from
// the lease. The token is not part of a channel: gRPC gives no call credentials to plaintext, so
// each call is authorized by itself (token.h).
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/deadlines.h"

namespace grpc {
class Channel;
class Status;
}  // namespace grpc

namespace coxswain::rpc {

// Largest message either way, on every channel and server.
inline constexpr int kMaxMessageBytes = 16 << 20;
// Sent ahead of the receiver on each stream. Fixed, since gRPC's way to find it costs a ping for
// each message: half of all packets of a fleet's heartbeats.
inline constexpr int kWindowBytes = 1 << 20;

// `address` is "host:port", "1.2.3.4:port", "[::1]:port" or "unix:/path/of/any/length". Connects
// when it is first used, by itself. Each channel has its own connection and tries at once: the
// back-off between channels is the caller's. Fails only for a Unix socket whose folder is not
// there.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const base::Deadlines& deadlines);

// The name gRPC knows an address by: "ipv4:127.0.0.1:7070", "dns:///host:7070", "unix:/...".
absl::StatusOr<std::string> TargetOf(const std::string& address);

// A name for a Unix socket that fits sockaddr_un (107 bytes): `path` itself when it is short
// enough, else one below /proc/self/fd of its folder, which this process then keeps open. For this
// process only. NotFound: the folder does not exist.
absl::StatusOr<std::string> ShortSocketPath(const std::string& path);

// The two status types have the same codes.
absl::Status FromGrpc(const grpc::Status& status);
grpc::Status ToGrpc(const absl::Status& status);

// Why a call failed, in one line: "Connection refused".
std::string ReasonOf(const grpc::Status& status);
// The same that begins with the peer: "127.0.0.1:7071: Connection refused".
std::string WhyFailed(const std::string& address, const grpc::Status& status);

// The lines that gRPC and protobuf print by themselves are dropped (they are no log lines of ours,
// and every failure reaches us as a status), unless GRPC_VERBOSITY or GRPC_TRACE is set.
// MakeChannel and Server::Start call it.
void QuietLibraries();

}  // namespace coxswain::rpc
