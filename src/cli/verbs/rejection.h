// A submission that was refused, for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/config/mistake.h"

namespace coxswain::cli::verbs {

// [{"file":"job.yaml","line":4,"key":"spec.train","text":"..."}]
nlohmann::ordered_json MistakesJson(const std::vector<config::Mistake>& mistakes);

// {"accepted":false,"reason":"...","mistakes":[...]}
std::string RejectionJson(const std::string& reason, const std::vector<config::Mistake>& mistakes);

}  // namespace coxswain::cli::verbs
