#include "coordinator/core/task_places.h"

namespace coxswain::coordinator::core {

void TaskPlaces::Set(const base::NodeId& node, size_t count) {
  auto place = tasks.find(node);
  if (place != tasks.end() && place->second == count) return;
  Remove(node);
  tasks[node] = count;
  by_tasks[count].insert(node);
}

void TaskPlaces::Remove(const base::NodeId& node) {
  auto place = tasks.find(node);
  if (place == tasks.end()) return;
  auto level = by_tasks.find(place->second);
  level->second.erase(node);
  if (level->second.empty()) by_tasks.erase(level);
  tasks.erase(place);
}

std::optional<base::NodeId> TaskPlaces::LeastBusy(size_t below) const {
  if (by_tasks.empty() || by_tasks.begin()->first >= below) return std::nullopt;
  return *by_tasks.begin()->second.begin();
}

}  // namespace coxswain::coordinator::core
