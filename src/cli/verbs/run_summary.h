// What `cox run` prints once its job has ended.
#pragma once

#include <string>
#include <vector>

#include "cli/output/console.h"
#include "cli/output/curve.h"
#include "cli/rpc/api.h"

namespace coxswain::cli::verbs {

struct RunResult {
  rpc::Job job;
  std::vector<output::CurvePoint> loss;
  std::vector<rpc::Checkpoint> checkpoints;  // newest first
  std::string file;                          // the job file, as the user named it
  std::string data_dir;
  bool default_data_dir = false;
  int64_t epochs = 1;
};

// Loss curve, where model and checkpoint are, what to try next. Every line ends in '\n'.
std::string RunSummary(const output::Terminal& terminal, const RunResult& result);

}  // namespace coxswain::cli::verbs
