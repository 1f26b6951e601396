#include "worker/process/environment.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/process/rank_folder.h"

namespace coxswain::worker::process {
namespace {

using Environment = std::map<std::string, std::string>;

// Of the worker alone: its token, its service manager, its own GPUs.
bool IsPrivate(std::string_view name) {
  if (name == "COXSWAIN_TORCH") return false;  // where LibTorch is: for the trainers
  constexpr std::array<std::string_view, 8> kPrivate = {
      "NOTIFY_SOCKET", "LISTEN_FDS",    "LISTEN_PID",     "LISTEN_FDNAMES",
      "INVOCATION_ID", "WATCHDOG_USEC", "JOURNAL_STREAM", "CUDA_VISIBLE_DEVICES"};
  return name.starts_with("COX_") || name.starts_with("COXSWAIN_") ||
         std::find(kPrivate.begin(), kPrivate.end(), name) != kPrivate.end();
}

Environment Common(const Surroundings& surroundings, const Environment& job_env) {
  Environment all;
  for (const auto& [name, value] : surroundings.inherited) {
    if (!IsPrivate(name)) all[name] = value;
  }
  if (!surroundings.interface.empty()) {
    all["NCCL_SOCKET_IFNAME"] = surroundings.interface;
    all["GLOO_SOCKET_IFNAME"] = surroundings.interface;
  }
  for (const auto& [name, value] : job_env) all[name] = value;
  all["COXSWAIN_SOCKET"] = surroundings.trainer_socket;
  all["COXSWAIN_ADDRESS"] = surroundings.address;
  return all;
}

std::vector<std::string> Flatten(const Environment& all) {
  std::vector<std::string> out;
  out.reserve(all.size());
  for (const auto& [name, value] : all) out.push_back(absl::StrCat(name, "=", value));
  return out;
}

}  // namespace

std::vector<std::string> RankEnvironment(const Surroundings& surroundings,
                                         const protocol::StartRank& start,
                                         const Environment& job_env, const std::string& folder) {
  Environment all = Common(surroundings, job_env);
  all.emplace("OMP_NUM_THREADS", std::to_string(start.cpus));  // a job may state its own
  all["CUDA_VISIBLE_DEVICES"] = absl::StrJoin(start.gpu_uuids, ",");
  all["COXSWAIN_RANK_KEY"] = absl::StrCat(base::ToString(start.key.job), "/",
                                          start.key.attempt.value, "/", start.key.rank);
  all["COXSWAIN_INCARNATION"] = std::to_string(start.incarnation.value);
  all["COXSWAIN_SPEC"] = absl::StrCat(folder, "/", kSpecFile);
  if (surroundings.port_first != 0) {
    all["COXSWAIN_TRAINER_PORTS"] =
        absl::StrCat(surroundings.port_first, "-", surroundings.port_last);
  }
  all["COXSWAIN_LOCAL_RANK"] = std::to_string(start.local_rank);
  all["COXSWAIN_WORLD_SIZE"] = std::to_string(start.world_size);
  if (start.local_world_size > 0) {
    all["COXSWAIN_LOCAL_WORLD_SIZE"] = std::to_string(start.local_world_size);
    all["COXSWAIN_NODE_RANK"] = std::to_string(start.node_rank);
    all["COXSWAIN_NODES"] = std::to_string(std::max<uint32_t>(1, start.nodes));
    all["COXSWAIN_NODE_GPUS"] = absl::StrJoin(start.node_gpus, ",");
  }
  all["COXSWAIN_CPUS"] = std::to_string(start.cpus);
  all["COXSWAIN_STATE_PREFIX"] = start.state_prefix;
  all["COXSWAIN_JOB_NAME"] = start.job_name;
  return Flatten(all);
}

std::vector<std::string> TaskEnvironment(const Surroundings& surroundings, base::TaskId task,
                                         base::Incarnation incarnation, const Environment& job_env,
                                         const std::string& folder) {
  Environment all = Common(surroundings, job_env);
  all["CUDA_VISIBLE_DEVICES"] = "";
  all["COXSWAIN_TASK"] = base::ToString(task);
  all["COXSWAIN_INCARNATION"] = std::to_string(incarnation.value);
  all["COXSWAIN_SPEC"] = absl::StrCat(folder, "/", kSpecFile);
  return Flatten(all);
}

}  // namespace coxswain::worker::process
