#include "trainer/core/save_table.h"

namespace coxswain::trainer::core {

Save& SaveTable::Begin(int64_t step, int64_t position, base::Generation generation, bool final) {
  Save& save = saves_[step];
  save = Save{};
  save.step = step;
  save.position = position;
  save.generation = generation;
  save.final = final;
  return save;
}

Save* SaveTable::FindStep(int64_t step) {
  auto it = saves_.find(step);
  return it == saves_.end() ? nullptr : &it->second;
}

Save* SaveTable::FindId(base::CheckpointId id) {
  if (!id) return nullptr;
  for (auto& [step, save] : saves_) {
    if (save.id == id) return &save;
  }
  return nullptr;
}

}  // namespace coxswain::trainer::core
