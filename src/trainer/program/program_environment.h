// What a program is told by its environment: torchrun's variables, and ours.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace coxswain::trainer::program {

// From the agent's own environment and what it knows of its generation.
struct ProgramPlace {
  uint32_t rank = 0, world_size = 1;
  uint32_t local_rank = 0, local_world_size = 1;
  uint32_t node_rank = 0, nodes = 1;
  std::string master_address = "127.0.0.1";
  uint16_t master_port = 0;
  std::string job;       // "j12"
  uint64_t attempt = 1;  // 1 and up
  uint32_t max_attempts = 1;
  uint64_t generation = 1;
  uint32_t gpus = 0;                   // of a rank
  std::vector<std::string> node_gpus;  // of all ranks on this node, by local rank
  std::string metrics_path, checkpoint_dir;
  std::string resume_dir;  // empty: it starts afresh
};

// `inherited`: of the agent. What is only for the agent (COXSWAIN_...) is left out; where each rank
// has one GPU, the program sees those of all ranks on its node, and LOCAL_RANK is its own.
std::vector<std::string> ProgramEnvironment(std::map<std::string, std::string> inherited,
                                            const ProgramPlace& place);

}  // namespace coxswain::trainer::program
