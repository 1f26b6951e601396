// Under which address other machines reach the ranks of this one. Ranks listen on this very address
// (the store of a generation, Gloo), so it has to be one of this machine: one that NAT or a load
// balancer forwards here does not serve.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace coxswain::worker {

// The addresses of a host name as numbers, in the system's order, at least one. NOT_FOUND: there is
// no such name; UNAVAILABLE: nothing answers for names just now.
using Resolver = std::function<absl::StatusOr<std::vector<std::string>>(const std::string& name)>;
absl::StatusOr<std::vector<std::string>> ResolveHost(const std::string& name);

// A setting's address, a number or a name, as the number that ranks listen on: tried with a
// listening socket. Of a name's addresses it is the first of this machine, loopback last.
// INVALID_ARGUMENT: it serves no rank here; UNAVAILABLE: the name cannot be resolved just now. Both
// say what was found and what was expected.
absl::StatusOr<std::string> OwnAddress(const std::string& setting,
                                       const Resolver& resolve = ResolveHost);

// An address, no port, under which other machines reach ours: `advertise` if given; else that of
// `interface`; else the one from which packets to `coordinator` ("HOST:PORT") leave.
absl::StatusOr<std::string> AdvertisedAddress(const std::string& advertise,
                                              const std::string& interface,
                                              const std::string& coordinator);

}  // namespace coxswain::worker
