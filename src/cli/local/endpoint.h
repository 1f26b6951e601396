// Finds a coordinator without flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace coxswain::cli::local {

// The file `endpoint` of a coordinator's data directory, written once it serves.
struct Endpoint {
  std::string api;     // HOST:PORT
  std::string worker;  // HOST:PORT
  std::string http;    // HOST:PORT
  std::string token_file;
  std::string cluster_id;
  int64_t pid = 0;
};
// Nothing if there is none, it cannot be read, or its process has ended.
std::optional<Endpoint> ReadEndpoint(const std::string& data_dir);

struct Server {
  std::string address;
  std::string token;
  // Where the address came from: "--server", "COX_SERVER", "/x/endpoint", "default".
  std::string how;
  std::string token_from;  // likewise: "COX_TOKEN", or the file
};
// Address: `server_flag`, COX_SERVER, the endpoint of the default data directory, that of `cox
// run`'s, then 127.0.0.1:7070. Token: `token_file_flag`, COX_TOKEN, the endpoint's token file, the
// default data directory's; empty if there is none. Empty variables count as not set.
// FailedPrecondition: the file named by the flag cannot be read.
absl::StatusOr<Server> FindServer(const std::string& server_flag,
                                  const std::string& token_file_flag);

// Empty, or why nothing can be reached at such an address, with what was meant where that is plain.
std::string WrongAddress(const std::string& address);

// The first word of a file, or why not.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

// Where `cox run` keeps everything unless told otherwise.
std::string DefaultRunDir();

}  // namespace coxswain::cli::local
