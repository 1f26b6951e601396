#include "common/config/scheduling_sections.h"

#include <algorithm>

#include "common/config/nearest_name.h"

namespace coxswain::config {
namespace {

using base::seconds;

constexpr int64_t kMostSlots = 1'000'000'000;
constexpr size_t kMostQueues = 1000;
constexpr int kMostLevels = 8;
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
  auto read = [&](const char* key, std::optional<int64_t>* into) {
    int64_t value = 0;
    if (in.Integer(key, int64_t{0}, kMostSlots, &value)) *into = value;
  };
  read("cpus", &out->cpus);
  read("gpus", &out->gpus);
  if (jobs != nullptr) read("jobs", jobs);
}

void ReadQueue(Section& in, QueueConfig* out) {
  in.Text("parent", "the name of another queue", &out->parent);
  in.Below("quota", [&](Section& below) { ReadBound(below, &out->quota); });
  in.Below("limit", [&](Section& below) { ReadBound(below, &out->limit); });
  in.Below("user_limit",
           [&](Section& below) { ReadBound(below, &out->user_limit, &out->user_jobs); });
  in.Integer("weight", int64_t{1}, int64_t{1'000'000}, &out->weight);
}

std::vector<std::string> NamesOf(const std::map<std::string, QueueConfig>& queues) {
  std::vector<std::string> names;
  for (const auto& [name, queue] : queues) names.push_back(name);
  return names;
}

// Parents that are not there, cycles, too many levels. True: the tree can be walked.
bool CheckParents(Section& in, const std::map<std::string, QueueConfig>& queues) {
  bool good = true;
  for (const auto& [name, queue] : queues) {
    if (queue.parent.empty() || queues.contains(queue.parent)) continue;
    in.Wrong("queues", name + ".parent: there is no queue \"" + queue.parent + "\"" +
                           DidYouMean(queue.parent, NamesOf(queues)));
    good = false;
  }
  for (const auto& [name, queue] : queues) {
    std::string way = name;
    const std::string* at = &queue.parent;
    int levels = 1;
    while (good && !at->empty()) {
      way += " -> " + *at;
      if (*at == name || ++levels > kMostLevels) {
        in.Wrong("queues",
                 name + (*at == name ? " is its own parent: " : ": more than 8 levels: ") + way);
        return false;
      }
      at = &queues.at(*at).parent;
    }
  }
  return good;
}

std::string Sum(const char* kind, int64_t sum, int64_t has) {
  return std::to_string(sum) + " " + kind + ", it has " + std::to_string(has);
}

// What parts are guaranteed together has to be guaranteed to the whole.
void CheckQuotas(Section& in, const std::map<std::string, QueueConfig>& queues) {
  for (const auto& [name, queue] : queues) {
    int64_t cpus = 0, gpus = 0;
    bool leaf = true;
    for (const auto& [other, part] : queues) {
      if (part.parent != name) continue;
      leaf = false;
      cpus += part.quota.cpus.value_or(0);
      gpus += part.quota.gpus.value_or(0);
    }
    std::string found;
    if (!leaf && queue.quota.cpus && cpus > *queue.quota.cpus) {
      found = Sum("CPU slots", cpus, *queue.quota.cpus);
    } else if (!leaf && queue.quota.gpus && gpus > *queue.quota.gpus) {
      found = Sum("GPUs", gpus, *queue.quota.gpus);
    }
    if (!found.empty()) {
      in.Wrong("queues", name + ".quota: the quotas of the queues below it sum up to " + found);
    }
    auto beyond = [](const std::optional<int64_t>& quota, const std::optional<int64_t>& limit) {
      return quota && limit && *quota > *limit;
    };
    if (beyond(queue.quota.cpus, queue.limit.cpus) || beyond(queue.quota.gpus, queue.limit.gpus)) {
      in.Wrong("queues", name + ".quota: more is guaranteed than its limit allows");
    }
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
  in.EachBelow("queues", kMostQueues, WrongName, [&](const std::string& name, Section& below) {
    ReadQueue(below, &out->queues[name]);
  });
  if (CheckParents(in, out->queues)) CheckQuotas(in, out->queues);
  for (const auto& [name, queue] : out->queues) {
    if (queue.parent != out->default_queue) continue;
    in.Wrong("default_queue", "found \"" + out->default_queue +
                                  "\", expected a queue with none below it, such as " + name);
    break;
  }
  if (in.Has("default_queue") && !out->queues.empty() &&
      !out->queues.contains(out->default_queue)) {
    in.Wrong("default_queue", "found \"" + out->default_queue + "\", expected one of the queues" +
                                  DidYouMean(out->default_queue, NamesOf(out->queues)));
  }
}

}  // namespace coxswain::config
