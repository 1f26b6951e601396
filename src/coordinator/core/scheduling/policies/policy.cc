#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {

std::unique_ptr<Policy> MakePolicy(const SchedulingSettings& settings, const QueueTree& tree,
                                   const Usage& usage) {
  switch (settings.policy) {
    case PolicyName::kFifo:
      break;
    case PolicyName::kPriority:
      return MakePriority();
    case PolicyName::kFair:
      return MakeFair(settings, tree, usage);
    case PolicyName::kLas:
      return MakeLas(settings);
    case PolicyName::kElastic:
      return MakeElastic(settings);
  }
  return MakeFifo();
}

}  // namespace coxswain::coordinator::core
