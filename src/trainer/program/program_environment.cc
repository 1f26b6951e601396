#include "trainer/program/program_environment.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace coxswain::trainer::program {

std::vector<std::string> ProgramEnvironment(std::map<std::string, std::string> inherited,
                                            const ProgramPlace& place) {
  std::erase_if(inherited, [](const auto& entry) { return entry.first.starts_with("COXSWAIN_"); });
  std::map<std::string, std::string>& all = inherited;
  auto number = [&](const char* name, uint64_t value) { all[name] = std::to_string(value); };
  number("RANK", place.rank);
  number("WORLD_SIZE", place.world_size);
  number("LOCAL_RANK", place.local_rank);
  number("LOCAL_WORLD_SIZE", place.local_world_size);
  number("GROUP_RANK", place.node_rank);
  number("GROUP_WORLD_SIZE", place.nodes);
  number("ROLE_RANK", place.rank);
  number("ROLE_WORLD_SIZE", place.world_size);
  all["ROLE_NAME"] = "default";
  all["MASTER_ADDR"] = place.master_address;
  number("MASTER_PORT", place.master_port);
  number("TORCHELASTIC_RESTART_COUNT", place.attempt - 1);
  number("TORCHELASTIC_MAX_RESTARTS", place.max_attempts - 1);
  all["TORCHELASTIC_RUN_ID"] = place.job;
  all["TORCHELASTIC_USE_AGENT_STORE"] = "False";  // rank 0's program hosts it
  all.emplace("PYTHONUNBUFFERED", "1");           // what it prints is in its log at once
  if (place.gpus == 1 && !place.node_gpus.empty()) {
    all["CUDA_VISIBLE_DEVICES"] = absl::StrJoin(place.node_gpus, ",");
  }
  all["COXSWAIN_JOB"] = place.job;
  number("COXSWAIN_ATTEMPT", place.attempt);
  number("COXSWAIN_GENERATION", place.generation);
  all["COXSWAIN_METRICS"] = place.metrics_path;
  all["COXSWAIN_CHECKPOINT_DIR"] = place.checkpoint_dir;
  if (!place.resume_dir.empty()) all["COXSWAIN_RESUME_DIR"] = place.resume_dir;
  std::vector<std::string> out;
  out.reserve(all.size());
  for (const auto& [name, value] : all) out.push_back(absl::StrCat(name, "=", value));
  return out;
}

}  // namespace coxswain::trainer::program
