#include "trainer/task/memory_checker.h"

#include <algorithm>

#include "common/config/quantities.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;

std::string Size(uint64_t bytes) { return config::FormatSize(static_cast<int64_t>(bytes)); }

// Which setting most of the memory comes from.
const char* Culprit(const state::StateList& list) {
  auto largest = std::max_element(
      list.tensors.begin(), list.tensors.end(),
      [](const blob::TensorInfo& a, const blob::TensorInfo& b) { return a.bytes() < b.bytes(); });
  bool block = largest != list.tensors.end() && largest->name.find("blocks.") != std::string::npos;
  return block ? "spec.model.channels" : "spec.model.hidden";
}

std::string NeedText(const config::JobSpec& spec, const state::StateList& list) {
  bool adamw = spec.train.optimizer.name == config::OptimizerName::kAdamW;
  bool momentum = !adamw && spec.train.optimizer.momentum > 0;
  return Cat(Size(list.LeastMemory()), " of memory for its ", list.parameters,
             " parameters of float", spec.train.precision == config::Precision::kFloat64 ? 64 : 32,
             ", their gradients",
             adamw      ? " and the two averages of adamw"
             : momentum ? " and the momentum of sgd"
                        : "");
}

}  // namespace

std::string WhyTooLarge(const config::JobSpec& spec, const state::StateList& list,
                        const MachineSize& machine) {
  if (spec.resources.gpus > 0) return "";
  const uint64_t need = list.LeastMemory();
  const auto given = static_cast<uint64_t>(spec.resources.memory_bytes);
  if (given > 0 && need > given) {
    return Cat("spec.resources.memory: found ", Size(given), ", but each rank needs at least ",
               NeedText(spec, list), "; ask for more, or make ", Culprit(list), " smaller");
  }
  const auto ranks = static_cast<uint64_t>(std::max<int64_t>(1, machine.ranks));
  const auto memory = static_cast<uint64_t>(machine.memory);
  if (memory == 0 || need <= memory / ranks) return "";
  std::string together = ranks == 1 ? "" : Cat(", and ", ranks, " ranks have to share one machine");
  return Cat(Culprit(list), ": each rank needs at least ", NeedText(spec, list), together,
             ", but the largest machine has ", Size(memory), "; make the model smaller",
             ranks == 1 ? " or add a machine with more memory"
                        : ", ask for fewer workers or add machines");
}

}  // namespace coxswain::trainer::task
