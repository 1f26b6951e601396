// cox-trainer: one rank of one job, started by cox-worker; --task: work on stores; --standalone:
// alone.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/version.h"
#include "common/log/log.h"
#include "trainer/runtime/environment.h"
#include "trainer/runtime/rank_main.h"
#include "trainer/runtime/standalone.h"
#include "trainer/runtime/task_link.h"
#include "trainer/task/by_hand.h"
#include "trainer/task/worker_task.h"

namespace coxswain::trainer {
namespace {

int Wrong(const absl::Status& status, int code) {
  log::Error(std::string(status.message()));
  return code;
}

int RunForWorker() {
  auto environment = ReadEnvironment([](const char* name) { return std::getenv(name); });
  if (!environment.ok()) return Wrong(environment.status(), 2);
  auto spec = ReadSpec(environment->spec_path);
  if (!spec.ok()) return Wrong(spec.status(), protocol::kExitUserError);
  auto socket =
      ListenSocket::Bind(environment->address, environment->first_port, environment->last_port);
  if (!socket.ok()) return Wrong(socket.status(), protocol::kExitInfrastructure);
  RankSettings rank;
  rank.spec = std::move(spec->spec);
  rank.spec_yaml = std::move(spec->yaml);
  rank.rank = environment->link.key.rank;
  rank.incarnation = environment->link.incarnation;
  rank.address = environment->address;
  rank.cpus = environment->cpus;
  rank.store = rank.spec.checkpoint.store.empty() ? environment->store : rank.spec.checkpoint.store;
  rank.state_prefix = environment->state_prefix;
  rank.owns_folder = !rank.state_prefix.empty();
  rank.folder = std::filesystem::path(environment->spec_path).parent_path();
  rank.find_code = MakeFindCode(environment->link);
  rank.place.local_rank = environment->local_rank;
  rank.place.local_world_size = environment->local_world_size;
  rank.place.node_rank = environment->node_rank;
  rank.place.nodes = environment->nodes;
  rank.place.node_gpus = environment->node_gpus;
  rank.place.gpus = rank.spec.resources.gpus;
  rank.place.job = base::ToString(environment->link.key.job);
  rank.place.attempt = environment->link.key.attempt.value;
  rank.place.max_attempts = rank.spec.retries.max_attempts;
  RunRank(std::move(rank), *std::move(socket), MakeWorkerLink(environment->link));
}

int Main(const std::vector<std::string>& arguments) {
  log::Init("cox-trainer", log::Level::kInfo);
  if (!arguments.empty() &&
      arguments[0] == "--task") {  // before signals are blocked: SIGTERM ends it
    std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    return rest.empty() ? task::RunForWorker(MakeTaskLink) : task::RunByHand(rest);
  }
  BlockSignals();
  if (arguments.empty()) return RunForWorker();
  if (arguments[0] == "--standalone") {
    return RunStandalone({arguments.begin() + 1, arguments.end()});
  }
  if (arguments[0] == "--version") {
    std::printf("cox-trainer %s\n", base::kVersion);
    return 0;
  }
  std::fprintf(stderr,
               "cox-trainer is one rank of a job and is started by cox-worker. By hand:\n%s",
               kStandaloneUsage);
  return arguments[0] == "--help" ? 0 : 2;
}

}  // namespace
}  // namespace coxswain::trainer

int main(int argc, char** argv) { return coxswain::trainer::Main({argv + 1, argv + argc}); }
