#include "cli/verbs/rejection.h"

#include <nlohmann/json.hpp>

namespace coxswain::cli::verbs {

using nlohmann::ordered_json;

ordered_json MistakesJson(const std::vector<config::Mistake>& mistakes) {
  ordered_json list = ordered_json::array();
  for (const config::Mistake& mistake : mistakes) {
    list.push_back({{"file", mistake.file},
                    {"line", mistake.line},
                    {"key", mistake.key},
                    {"text", mistake.text}});
  }
  return list;
}

std::string RejectionJson(const std::string& reason, const std::vector<config::Mistake>& mistakes) {
  ordered_json out = {
      {"accepted", false}, {"reason", reason}, {"mistakes", MistakesJson(mistakes)}};
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace coxswain::cli::verbs
