// Strong types for ids and counts that must not be mixed up. All are ordered, hashable values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace coxswain::base {

// A number of one kind; `Tag` makes the kinds distinct.
template <class Tag>
struct Number {
  using Value = uint64_t;
  uint64_t value = 0;

  constexpr Number() = default;
  constexpr explicit Number(uint64_t v) : value(v) {}
  friend constexpr auto operator<=>(Number, Number) = default;
  constexpr Number Next() const { return Number(value + 1); }
  constexpr explicit operator bool() const { return value != 0; }  // 0 means "none"
};

// A name of one kind.
template <class Tag>
struct Name {
  std::string value;

  Name() = default;
  explicit Name(std::string v) : value(std::move(v)) {}
  friend auto operator<=>(const Name&, const Name&) = default;
  bool empty() const { return value.empty(); }
};

using JobId = Number<struct JobIdTag>;                // printed "j12"; never used twice
using CheckpointId = Number<struct CheckpointIdTag>;  // printed "c12"; never used twice
using TaskId = Number<struct TaskIdTag>;              // printed "t12"
using Generation = Number<struct GenerationTag>;      // one membership of a job; rises for ever
using Term = Number<struct TermTag>;                  // one life of the coordinator; rises
using Attempt = Number<struct AttemptTag>;            // 1-based try of a job
using Incarnation = Number<struct IncarnationTag>;    // random, one life of a process; never 0
using EventSeq = Number<struct EventSeqTag>;          // cursor of the event history
using ClusterId = Name<struct ClusterIdTag>;          // made once by the first coordinator
using NodeId = Name<struct NodeIdTag>;                // made once by the worker, kept on its disk

// A rank of a job: 0 .. world size - 1.
using Rank = uint32_t;

std::string ToString(JobId id);         // "j12"
std::string ToString(CheckpointId id);  // "c12"
std::string ToString(TaskId id);        // "t12"

// "j12" -> JobId(12). Nothing for any other text ("12", "j", "j0", "j012").
std::optional<JobId> ParseJobId(std::string_view text);
std::optional<CheckpointId> ParseCheckpointId(std::string_view text);
std::optional<TaskId> ParseTaskId(std::string_view text);

}  // namespace coxswain::base

template <class Tag>
struct std::hash<coxswain::base::Number<Tag>> {
  size_t operator()(coxswain::base::Number<Tag> n) const noexcept {
    return std::hash<uint64_t>()(n.value);
  }
};
template <class Tag>
struct std::hash<coxswain::base::Name<Tag>> {
  size_t operator()(const coxswain::base::Name<Tag>& n) const noexcept {
    return std::hash<std::string>()(n.value);
  }
};
