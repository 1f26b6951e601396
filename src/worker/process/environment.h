// The environment of a rank's or a task's program.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/protocol/worker_messages.h"

namespace coxswain::worker::process {

// What all programs of this worker are told.
struct Surroundings {
  std::map<std::string, std::string> inherited;  // this worker's own environment
  std::string trainer_socket;                    // COXSWAIN_SOCKET
  std::string address;                           // COXSWAIN_ADDRESS
  uint16_t port_first = 0, port_last = 0;        // COXSWAIN_TRAINER_PORTS "29500-29599"; 0: any
  std::string interface;                         // NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME
};

// Later wins: what the worker has (credentials too, its own settings and token not), the job's
// `env:`, what the system states.
std::vector<std::string> RankEnvironment(const Surroundings& surroundings,
                                         const protocol::StartRank& start,
                                         const std::map<std::string, std::string>& job_env,
                                         const std::string& folder);
std::vector<std::string> TaskEnvironment(const Surroundings& surroundings, base::TaskId task,
                                         base::Incarnation incarnation,
                                         const std::map<std::string, std::string>& job_env,
                                         const std::string& folder);

}  // namespace coxswain::worker::process
