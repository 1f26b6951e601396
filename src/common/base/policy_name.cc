#include "common/base/policy_name.h"

#include <iterator>

namespace coxswain::base {

const char* ToString(PolicyName name) {
  switch (name) {
    case PolicyName::kFifo:
      return "fifo";
    case PolicyName::kPriority:
      return "priority";
    case PolicyName::kFair:
      return "fair";
    case PolicyName::kLas:
      return "las";
    case PolicyName::kElastic:
      return "elastic";
  }
  return "unknown";
}

std::optional<PolicyName> ParsePolicyName(std::string_view text) {
  for (PolicyName name : kPolicies) {
    if (text == ToString(name)) return name;
  }
  return std::nullopt;
}

std::string ListPolicyNames() {
  constexpr size_t kCount = std::size(kPolicies);
  std::string out;
  for (size_t i = 0; i < kCount; ++i) {
    out += i == 0 ? "" : i + 1 == kCount ? " or " : ", ";
    out += ToString(kPolicies[i]);
  }
  return out;
}

}  // namespace coxswain::base
