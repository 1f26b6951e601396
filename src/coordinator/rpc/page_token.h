// Opaque page tokens: where the next page begins, bound to the call and filter that made them.
#pragma once

#include <optional>
#include <string>

namespace coxswain::coordinator::rpc {

// `scope` names the call and its filter.
std::string MakePageToken(const std::string& position, const std::string& scope);

// The position, or nothing when `token` was not made for this scope.
std::optional<std::string> ReadPageToken(const std::string& token, const std::string& scope);

}  // namespace coxswain::coordinator::rpc
