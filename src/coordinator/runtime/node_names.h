// Nodes by the names that people know: rows hold ids.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::runtime {

using NodeNames = std::function<std::string(const core::NodeId&)>;

// Asks the store for each node once: make one for each response. Not for two threads at once.
inline NodeNames NamesFrom(Api* api) {
  auto known = std::make_shared<std::map<core::NodeId, std::string>>();
  return [api, known](const core::NodeId& node) {
    auto [found, is_new] = known->try_emplace(node);
    if (is_new) found->second = api->NodeName(node);
    return found->second;
  };
}

}  // namespace coxswain::coordinator::runtime
