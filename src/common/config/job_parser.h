// Turns a job file's text into a JobSpec, or into every mistake in it. Pure text work: files and
// stores named in it are checked elsewhere (cox-trainer --task).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config/job_spec.h"

namespace coxswain::config {

// One mistake, for one line of output: "job.yaml:14: unknown key 'optimiser' in spec.train (did you mean
// 'optimizer'?)".
struct Mistake {
  std::string file;
  uint32_t line = 0;   // 1-based; 0: the whole file
  std::string key;     // "spec.train.optimizer"
  std::string text;    // found, expected, nearest name
  std::string ToString() const;
};

struct ParsedJob {
  JobSpec spec;
  std::string yaml;                   // the text with overrides applied: what is stored and sent on
  std::vector<std::string> warnings;
};

// `overrides`: "spec.train.epochs=3", applied in order. `file` is used in messages only.
// Returns all mistakes, in file order, never only the first.
std::variant<ParsedJob, std::vector<Mistake>> ParseJob(std::string_view yaml, std::string_view file,
                                                       const std::vector<std::string>& overrides);

// The same document with the values of secret `env:` keys (ending in KEY, SECRET, TOKEN, PASSWORD)
// replaced by "***": the only form that leaves the coordinator for people.
std::string MaskSecrets(std::string_view yaml);

}  // namespace coxswain::config
