// Decisions as lines of text that do not depend on random numbers: what scenarios compare.
#pragma once

#include <functional>
#include <string>

#include "coordinator/core/decisions.h"

namespace coxswain::fakes {

std::string KeyText(const protocol::RankKey& key);  // "j1/2/0": job, attempt, rank

// `session_name`: whose stream it is ("a").
std::string DecisionText(
    const coordinator::core::Decisions& decisions,
    const std::function<std::string(coordinator::core::SessionId)>& session_name);

std::string ChangeText(const coordinator::core::Change& change);  // empty: not shown
std::string OrderText(const protocol::WorkerOrder& order);

}  // namespace coxswain::fakes
