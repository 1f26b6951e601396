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
  int64_t epochs = 1;       // 0: not known, it has a program of its own
  std::string cox = "cox";  // how to call this program from the user's shell
};

// "cox" if that name leads to this very program by PATH, else its own path.
std::string HowToCallCox();

// Loss curve, where model and checkpoint are, what to try next. Every line ends in '\n'.
std::string RunSummary(const output::Terminal& terminal, const RunResult& result);
// How a job stands that was stopped without a save: as last heard of, its newest checkpoint, how to
// go on. One or two lines, without the last '\n'.
std::string LastWords(const RunResult& result);
// One line about a job of an earlier run that was cut off. `file` is empty if it is not known.
std::string LeftoverLine(const RunResult& result);

}  // namespace coxswain::cli::verbs
