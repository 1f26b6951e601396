// What a program says of itself: JSON objects, one a line, appended to a file ($COXSWAIN_METRICS).
//
//   {"step": 120, "loss": 0.31, "learning_rate": 1e-3, "epoch": 2, "total_steps": 4690}
//   {"step": 120, "eval": {"loss": 0.4, "accuracy": 0.87}}
//   {"step": 120, "checkpoint": "ckpt-120"}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace coxswain::trainer::program {

// One line.
struct Said {
  std::optional<int64_t> step;
  std::optional<int64_t> epoch, epochs, total_steps;
  std::optional<std::string> checkpoint;                // the folder in which it is complete
  std::vector<std::pair<std::string, double>> numbers;  // all others; "eval.loss" of a nested one
};

// INVALID_ARGUMENT says what is wrong. NaN, Infinity and -Infinity are taken, as Python writes
// them.
absl::StatusOr<Said> ParseSaid(std::string_view line);

// Follows a file that grows. Owner: one thread at a time.
class SaidFile {
 public:
  // The file need not be there yet.
  explicit SaidFile(std::string path) : path_(std::move(path)) {}
  ~SaidFile();

  // The lines that are complete by now, in order, at most kMostLines a call. What cannot be read as
  // such is left out; `mistakes` has one line for each.
  static constexpr size_t kMostLines = 10'000;
  std::vector<Said> Read(std::vector<std::string>* mistakes);

 private:
  const std::string path_;
  int fd_ = -1;
  std::string rest_;  // of a line that is not complete
  uint64_t line_ = 0;
};

}  // namespace coxswain::trainer::program
