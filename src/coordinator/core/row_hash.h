// A hash of rows and values that is the same on every machine: equal tables give equal digests.
#pragma once

#include <bit>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

class RowHash {
 public:
  uint64_t value() const { return state_; }

  template <class T>
  requires std::is_integral_v<T> || std::is_enum_v<T> RowHash& Add(T number) {
    state_ = base::Mix64(state_ ^ static_cast<uint64_t>(number));
    return *this;
  }
  RowHash& Add(double number) { return Add(std::bit_cast<uint64_t>(number)); }
  RowHash& Add(const std::string& text);
  template <class Tag>
  RowHash& Add(base::Number<Tag> number) {
    return Add(number.value);
  }
  template <class Tag>
  RowHash& Add(const base::Name<Tag>& name) {
    return Add(name.value);
  }
  RowHash& Add(base::Duration duration) { return Add(duration.count()); }
  RowHash& Add(base::Time time) { return Add(time.us); }
  RowHash& Add(base::WallTime time) { return Add(time.us); }
  template <class T>
  RowHash& Add(const std::optional<T>& value) {
    Add(value.has_value());
    return value ? Add(*value) : *this;
  }
  template <class A, class B>
  RowHash& Add(const std::pair<A, B>& both) {
    return Add(both.first).Add(both.second);
  }
  template <class T>
  RowHash& Add(const std::vector<T>& values) {
    Add(values.size());
    for (const T& value : values) Add(value);
    return *this;
  }
  template <class T>
  RowHash& Add(const std::set<T>& values) {
    Add(values.size());
    for (const T& value : values) Add(value);
    return *this;
  }
  template <class K, class V>
  RowHash& Add(const std::map<K, V>& values) {
    Add(values.size());
    for (const auto& [key, value] : values) Add(key).Add(value);
    return *this;
  }

  RowHash& Add(const protocol::RankKey& key);
  RowHash& Add(const protocol::ExitRecord& exit);
  RowHash& Add(const protocol::GpuInfo& gpu);
  RowHash& Add(const protocol::Inventory& inventory);
  RowHash& Add(const protocol::Member& member);
  RowHash& Add(const protocol::Shard& shard);
  RowHash& Add(const protocol::RestoreCandidate& candidate);
  RowHash& Add(const protocol::TrainerReady& ready);
  RowHash& Add(const protocol::TrainerProgress& progress);
  RowHash& Add(const JobRequest& request);
  RowHash& Add(const Exit& exit);
  RowHash& Add(const LastProgress& last);
  RowHash& Add(const StepTime& step);
  RowHash& Add(const Speed& speed);
  RowHash& Add(const JobRow& row);
  RowHash& Add(const AttemptRow& row);
  RowHash& Add(const RankRow& row);
  RowHash& Add(const GenerationRow& row);
  RowHash& Add(const CheckpointRow& row);
  RowHash& Add(const NodeRow& row);
  RowHash& Add(const UsageRow& row);
  RowHash& Add(const ClusterRow& row);

 private:
  uint64_t state_ = 0x5bd1e995;
};

}  // namespace coxswain::coordinator::core
