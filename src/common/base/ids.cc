#include "common/base/ids.h"

#include <charconv>

namespace coxswain::base {
namespace {

template <class Id>
std::optional<Id> ParsePrefixed(char prefix, std::string_view text) {
  if (text.size() < 2 || text[0] != prefix || text[1] == '0') return std::nullopt;
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data() + 1, end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return Id(value);
}

}  // namespace

std::string ToString(JobId id) { return "j" + std::to_string(id.value); }
std::string ToString(CheckpointId id) { return "c" + std::to_string(id.value); }
std::string ToString(TaskId id) { return "t" + std::to_string(id.value); }

std::optional<JobId> ParseJobId(std::string_view text) { return ParsePrefixed<JobId>('j', text); }
std::optional<CheckpointId> ParseCheckpointId(std::string_view text) {
  return ParsePrefixed<CheckpointId>('c', text);
}
std::optional<TaskId> ParseTaskId(std::string_view text) {
  return ParsePrefixed<TaskId>('t', text);
}

}  // namespace coxswain::base
