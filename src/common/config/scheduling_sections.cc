#include "common/config/scheduling_sections.h"

#include <algorithm>
#include <set>

#include "common/base/nearest_name.h"

namespace coxswain::config {
namespace {

using base::seconds;

constexpr int64_t kMostSlots = 1'000'000'000;
constexpr size_t kMostQueues = 1000;
constexpr size_t kMostLevels = 8;
constexpr base::Duration kDay = std::chrono::hours(24);

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

std::string WrongName(const std::string& name) {
  bool good = !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
              std::all_of(name.begin(), name.end(), IsNameCharacter);
  return good ? "" : "a queue's name has 1 to 63 of a-z, 0-9 and '-', and none at its ends";
}

// Of a bound that is there, what is not named is not bounded.
void ReadBound(Section& in, SlotBound* out, std::optional<int64_t>* jobs = nullptr) {
  if (!in.present()) return;
  *out = {};
  auto read = [&](const char* key, int64_t least, std::optional<int64_t>* into) {
    int64_t value = 0;
    if (in.Integer(key, least, kMostSlots, &value)) *into = value;
  };
  read("cpus", 0, &out->cpus);
  read("gpus", 0, &out->gpus);
  // With none, nobody could run anything in the queue.
  if (jobs != nullptr) read("jobs", 1, jobs);
}

// A queue, and where the file has it: what queues are to each other is judged when all are read.
struct QueueInFile {
  QueueConfig config;
  std::string path;
  uint32_t parent_line = 0, quota_line = 0;
};
using QueuesInFile = std::map<std::string, QueueInFile>;

void ReadQueue(Section& in, QueueInFile* queue) {
  QueueConfig* out = &queue->config;
  in.Text("parent", "the name of another queue", &out->parent);
  in.Below("quota", [&](Section& below) { ReadBound(below, &out->quota); });
  in.Below("limit", [&](Section& below) { ReadBound(below, &out->limit); });
  in.Below("user_limit",
           [&](Section& below) { ReadBound(below, &out->user_limit, &out->user_jobs); });
  in.Integer("weight", int64_t{1}, int64_t{1'000'000}, &out->weight);
  queue->path = in.path();
  queue->parent_line = in.LineOfKey("parent");
  queue->quota_line = in.LineOfKey("quota");
}

std::vector<std::string> NamesOf(const QueuesInFile& queues) {
  std::vector<std::string> names;
  for (const auto& [name, queue] : queues) names.push_back(name);
  return names;
}

// The queue, its parent, and so on; the last one stands there twice if it is a cycle.
std::vector<std::string> WayUp(const std::string& name, const QueuesInFile& queues) {
  std::vector<std::string> way = {name};
  std::set<std::string_view> seen = {name};
  while (true) {
    auto parent = queues.find(queues.at(way.back()).config.parent);
    if (parent == queues.end()) return way;
    way.push_back(parent->first);
    if (!seen.insert(parent->first).second) return way;
  }
}

std::string Arrows(const std::vector<std::string>& way) {
  std::string text;
  for (const std::string& name : way) text += (text.empty() ? "" : " -> ") + name;
  return text;
}

// Parents that are not there, cycles, too many levels; each told once.
void CheckParents(Section& in, const QueuesInFile& queues) {
  for (const auto& [name, queue] : queues) {
    const std::string path = queue.path + ".parent";
    const std::string& parent = queue.config.parent;
    if (!parent.empty() && !queues.contains(parent)) {
      in.WrongAt(
          path, queue.parent_line,
          "there is no queue \"" + parent + "\"" + base::DidYouMean(parent, NamesOf(queues)));
    }
    const std::vector<std::string> way = WayUp(name, queues);
    const bool cycle = way.size() > 1 && way.back() == name;
    if (cycle && *std::min_element(way.begin(), way.end()) == name) {
      in.WrongAt(path, queue.parent_line, name + " is its own parent: " + Arrows(way));
    } else if (std::set(way.begin(), way.end()).size() == way.size() &&
               way.size() == kMostLevels + 1) {
      in.WrongAt(path, queue.parent_line, "more than 8 levels: " + Arrows(way));
    }
  }
}

// What parts are guaranteed together has to be guaranteed to the whole, and allowed to each.
void CheckQuota(Section& in, const QueueInFile& queue, const char* kind, int64_t of_parts,
                std::optional<int64_t> quota, std::optional<int64_t> limit) {
  const std::string path = queue.path + ".quota";
  if (quota && of_parts > *quota) {
    in.WrongAt(path, queue.quota_line,
               "the quotas of the queues below it sum up to " + std::to_string(of_parts) + " " +
                   kind + ", it has " + std::to_string(*quota));
  }
  if (quota && limit && *quota > *limit) {
    in.WrongAt(path, queue.quota_line,
               "more is guaranteed than its limit allows: " + std::to_string(*quota) + " " + kind +
                   ", at most " + std::to_string(*limit));
  }
}

void CheckQuotas(Section& in, const QueuesInFile& queues) {
  struct Sums {
    int64_t cpus = 0, gpus = 0;
  };
  std::map<std::string, Sums> below;
  for (const auto& [name, queue] : queues) {
    Sums& sums = below[queue.config.parent];
    sums.cpus += queue.config.quota.cpus.value_or(0);
    sums.gpus += queue.config.quota.gpus.value_or(0);
  }
  for (const auto& [name, queue] : queues) {
    const QueueConfig& config = queue.config;
    const Sums& sums = below[name];
    CheckQuota(in, queue, "CPU slots", sums.cpus, config.quota.cpus, config.limit.cpus);
    CheckQuota(in, queue, "GPUs", sums.gpus, config.quota.gpus, config.limit.gpus);
  }
}

void CheckDefault(Section& in, const QueuesInFile& queues, const std::string& name) {
  const std::string found = "found \"" + name + "\", expected ";
  for (const auto& [each, queue] : queues) {
    if (queue.config.parent != name) continue;
    return in.Wrong("default_queue", found + "a queue with none below it, such as " + each);
  }
  if (in.Has("default_queue") && !queues.empty() && !queues.contains(name)) {
    in.Wrong("default_queue",
             found + "one of the queues" + base::DidYouMean(name, NamesOf(queues)));
  }
}

std::vector<std::pair<std::string, base::PolicyName>> Policies() {
  std::vector<std::pair<std::string, base::PolicyName>> choices;
  for (base::PolicyName name : base::kPolicies) choices.emplace_back(base::ToString(name), name);
  return choices;
}

}  // namespace

void ReadScheduling(Section& in, SchedulingConfig* out) {
  in.Text("rack_label", "the name of a label of workers, such as rack", &out->rack_label);
  in.Choice<base::PolicyName>("policy", Policies(), &out->policy);
  in.Bool("backfill", &out->backfill);
  in.Duration("half_life", seconds(60), 365 * kDay, &out->half_life);
  in.Integer("slots_per_gpu", int64_t{1}, int64_t{4096}, &out->slots_per_gpu);
  in.Duration("las_threshold", seconds(1), 365 * kDay, &out->las_threshold);
  in.Duration("resize_after", seconds(1), 365 * kDay, &out->resize_after);
  in.Duration("replan", seconds(1), kDay, &out->replan);
  in.Integer("cordon_after", 0U, 1000U, &out->cordon_after);
  in.Text("default_queue", "the name of a queue", &out->default_queue);
  QueuesInFile queues;
  in.EachBelow("queues", kMostQueues, WrongName,
               [&](const std::string& name, Section& below) { ReadQueue(below, &queues[name]); });
  CheckParents(in, queues);
  CheckQuotas(in, queues);
  CheckDefault(in, queues, out->default_queue);
  for (auto& [name, queue] : queues) out->queues[name] = std::move(queue.config);
}

}  // namespace coxswain::config
