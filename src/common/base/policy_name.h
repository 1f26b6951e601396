// How waiting jobs are ordered: `scheduling.policy` of a coordinator, `cox-sim trace --policy`. The
// one place where the names stand; docs/howto/queues.md tells what each does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coxswain::base {

enum class PolicyName : uint8_t { kFifo = 0, kPriority, kFair, kLas, kElastic };
inline constexpr PolicyName kPolicies[] = {PolicyName::kFifo, PolicyName::kPriority,
                                           PolicyName::kFair, PolicyName::kLas,
                                           PolicyName::kElastic};

const char* ToString(PolicyName name);  // "fifo" ...
std::optional<PolicyName> ParsePolicyName(std::string_view text);
std::string ListPolicyNames();  // "fifo, priority, fair, las or elastic"

}  // namespace coxswain::base
