// What a rank's worker tells it through environment variables.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {

struct Environment {
  LinkSettings link;                  // COXSWAIN_SOCKET, COXSWAIN_RANK_KEY, COXSWAIN_INCARNATION
  std::string spec_path;              // COXSWAIN_SPEC: the job file, complete
  std::string address = "127.0.0.1";  // COXSWAIN_ADDRESS: of this machine on the data network
  uint16_t first_port = 0, last_port = 0;  // COXSWAIN_TRAINER_PORTS "lo-hi"; 0: any free one
  uint32_t world_size = 1;                 // COXSWAIN_WORLD_SIZE
  uint32_t local_rank = 0;                 // COXSWAIN_LOCAL_RANK
  uint32_t cpus = 1;                       // COXSWAIN_CPUS: threads
  std::string state_prefix;                // COXSWAIN_STATE_PREFIX: "CLUSTER/j12", below the store
  std::string store;                       // COXSWAIN_STORE: for a job that names none
  // COXSWAIN_LOCAL_WORLD_SIZE, _NODE_RANK, _NODES, _NODE_GPUS: for a program of the user's own
  uint32_t local_world_size = 1, node_rank = 0, nodes = 1;
  std::vector<std::string> node_gpus;
};

using GetVariable = std::function<const char*(const char* name)>;

// INVALID_ARGUMENT names the variable, what was found and what was expected.
absl::StatusOr<Environment> ReadEnvironment(const GetVariable& get);

// "j12/2/0" -> job 12, attempt 2, rank 0.
std::optional<protocol::RankKey> ParseRankKey(std::string_view text);

// "10000-10999"; false if it is not a range of ports.
bool ParsePorts(std::string_view text, uint16_t* first, uint16_t* last);

}  // namespace coxswain::trainer
