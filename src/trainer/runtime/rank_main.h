// A rank from its first instruction to its exit code.
#pragma once

#include <memory>
#include <string>

#include "common/config/job_spec.h"
#include "trainer/program/program_environment.h"
#include "trainer/runtime/listen_socket.h"
#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {

struct RankSettings {
  config::JobSpec spec;
  std::string spec_yaml;
  base::Rank rank = 0;
  base::Incarnation incarnation;
  std::string address = "127.0.0.1";  // of this machine on the data network
  uint32_t cpus = 1;
  std::string store;         // where checkpoints and the model go; empty: nowhere
  std::string state_prefix;  // "CLUSTER/j12"
  bool owns_folder = false;  // what stands below state_prefix is this job's alone
  bool saves = true;
  // For a program of the user's own.
  std::string folder;           // of this rank
  FindCode find_code;           // unset: there is none
  program::ProgramPlace place;  // what is known before there is a generation
};

// Blocks SIGTERM, SIGINT and SIGPIPE; once, in main, before any thread is made.
void BlockSignals();

// Reads and parses a job file. INVALID_ARGUMENT holds every mistake, one a line.
struct ParsedSpec {
  config::JobSpec spec;
  std::string yaml;
};
absl::StatusOr<ParsedSpec> ReadSpec(const std::string& path);

// Trains. Never returns: the process ends with one of protocol::TrainerExitCode.
[[noreturn]] void RunRank(RankSettings settings, ListenSocket socket,
                          std::unique_ptr<TrainerLink> link);

}  // namespace coxswain::trainer
