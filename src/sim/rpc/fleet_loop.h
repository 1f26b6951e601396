// Thousands of pretend workers on one thread: what they are told, when they say that they live,
// when their jobs end, and when they try to connect again. gRPC's own threads only move messages.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/deadlines.h"

namespace coxswain::sim::rpc {

struct FleetOptions {
  std::string coordinator;  // HOST:PORT of its worker port
  std::string token;
  std::string prefix = "pretend";  // of the nodes' names: pretend-00001
  uint32_t nodes = 100;
  uint32_t cpus = 64, gpus = 8;  // of each
  uint32_t racks = 0;            // so many values of the label `rack`; 0: no such label
  uint32_t connections = 0;      // 0: each node has its own
  base::Duration run_time = base::seconds(1);  // of a job that does not say it itself
  base::Duration progress = base::seconds(1);  // each rank tells its own so often; 0: never
  bool hold = false;                           // nobody takes work before all have been let in
  bool gpus_in_use = false;  // by others, until FreeGpus: jobs are checked, and not started
  base::Duration give_up = base::seconds(15);  // none of them was ever let in
};

struct FleetTally {
  uint32_t connected = 0;      // now
  uint64_t losses = 0;         // of connections
  uint64_t heartbeats = 0;     // sent
  uint64_t reports = 0;        // sent, heartbeats included
  uint64_t orders = 0;         // received
  uint64_t ranks_started = 0;  // orders to start, repeated ones not counted
  uint64_t ranks_ended = 0;
  uint64_t tasks = 0;
  // Of ranks: seconds since the fleet began. Where GPUs were in use, the first is when FreeGpus
  // came.
  double first_start = 0, last_start = 0;
  uint64_t starts_in_best_second = 0;
  std::string last_loss;  // why the last connection was lost
};

class FleetLoop {
 public:
  explicit FleetLoop(FleetOptions options);
  ~FleetLoop();  // stops it

  void Start();
  // Why there is no sense in going on; OK: there is. Thread-safe, as is Tally.
  absl::Status Failure() const;
  FleetTally Tally() const;
  void FreeGpus();
  // Ends all streams: for the coordinator the machines vanish.
  void Stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

// A job that has the label `pretend-run-ms` trains so long; nothing: it has none.
std::optional<base::Duration> RunTimeOf(const std::string& spec_yaml);

// `cox-sim fleet ...`: its exit code, of base/exit_codes.h; 2: usage.
int Fleet(const std::vector<std::string>& arguments);

}  // namespace coxswain::sim::rpc
