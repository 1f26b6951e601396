#include "trainer/task/memory_checker.h"

#include <algorithm>

#include "common/config/quantities.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;

std::string Size(uint64_t bytes) { return config::FormatSize(static_cast<int64_t>(bytes)); }

// Which setting most of the memory comes from.
const char* Culprit(const config::JobSpec& spec, const state::StateList& list, uint64_t rows) {
  if (rows > list.LeastMemory()) return "spec.data.buffer";
  if (spec.model.IsOwn()) {
    return spec.model.module.empty() ? "spec.model.plugin" : "spec.model.module";
  }
  if (spec.model.IsTransformer()) {
    return spec.model.from.empty() ? "spec.model.width" : "spec.model.from";
  }
  if (spec.model.recipe == config::Recipe::kResNet) {
    return spec.model.from.empty() ? "spec.model.depth" : "spec.model.from";
  }
  auto largest = std::max_element(
      list.tensors.begin(), list.tensors.end(),
      [](const blob::TensorInfo& a, const blob::TensorInfo& b) { return a.bytes() < b.bytes(); });
  bool block = largest != list.tensors.end() && largest->name.find("blocks.") != std::string::npos;
  return block ? "spec.model.channels" : "spec.model.hidden";
}

std::string NeedText(const config::JobSpec& spec, const state::StateList& list, uint64_t rows) {
  bool adamw = spec.train.optimizer.name == config::OptimizerName::kAdamW;
  bool momentum = !adamw && spec.train.optimizer.momentum > 0;
  return Cat(Size(list.LeastMemory() + rows), " of memory for its ", list.parameters,
             " parameters of float", spec.train.precision == config::Precision::kFloat64 ? 64 : 32,
             ", their gradients", adamw || momentum ? " and " : "",
             list.shards > 1 ? Cat("1/", list.shards, " of ") : "",
             adamw      ? "the two averages of adamw"
             : momentum ? "the momentum of sgd"
                        : "",
             spec.train.ema.decay > 0 ? ", the average of its weights (ema)" : "",
             list.lowered_bytes > 0 ? ", and a bfloat16 copy of its weights" : "",
             rows > 0 ? Cat(", and ", Size(rows), " for rows of its data") : "");
}

}  // namespace

std::string WhyTooLarge(const config::JobSpec& spec, const state::StateList& list,
                        const MachineSize& machine, uint64_t rows) {
  if (spec.resources.gpus > 0) return "";
  const uint64_t need = list.LeastMemory() + rows;
  const std::string culprit = Culprit(spec, list, rows);
  const auto given = static_cast<uint64_t>(spec.resources.memory_bytes);
  if (given > 0 && need > given) {
    return Cat("spec.resources.memory: found ", Size(given), ", but each rank needs at least ",
               NeedText(spec, list, rows), "; ask for more, or make ", culprit, " smaller");
  }
  const auto ranks = static_cast<uint64_t>(std::max<int64_t>(1, machine.ranks));
  const auto memory = static_cast<uint64_t>(machine.memory);
  if (memory == 0 || need <= memory / ranks) return "";
  std::string together = ranks == 1 ? "" : Cat(", and ", ranks, " ranks have to share one machine");
  return Cat(culprit, ": each rank needs at least ", NeedText(spec, list, rows), together,
             ", but the largest machine has ", Size(memory), "; make the ",
             rows > list.LeastMemory() ? "buffer" : "model", " smaller",
             ranks == 1 ? " or add a machine with more memory"
                        : ", ask for fewer workers or add machines");
}

}  // namespace coxswain::trainer::task
