#include "coordinator/store/row_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace coxswain::coordinator::store {
namespace {

using nlohmann::json;

// Log lines may hold any bytes: what is not UTF-8 is replaced.
std::string Dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

// The one place where exceptions of the JSON library end.
template <class T, class Fill>
bool Parse(const std::string& text, T* out, Fill fill) {
  json j = json::parse(text, nullptr, false);
  if (j.is_discarded()) return false;
  try {
    T value{};
    fill(j, value);
    *out = std::move(value);
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

template <class T>
void Take(const json& j, const char* key, T& out) {
  if (auto it = j.find(key); it != j.end()) it->get_to(out);
}
void Take(const json& j, const char* key, base::Duration& out) {
  int64_t us = out.count();
  Take(j, key, us);
  out = base::Duration(us);
}

// JSON has no NaN and no infinity: they are null, and come back as NaN.
void Take(const json& j, const char* key, double& out) {
  auto it = j.find(key);
  if (it == j.end()) return;
  out = it->is_null() ? std::numeric_limits<double>::quiet_NaN() : it->get<double>();
}

json ExitJson(const protocol::ExitRecord& r) {
  return {{"code", r.code},
          {"signal", r.signal},
          {"oom_killed", r.oom_killed},
          {"stopped_by_us", r.stopped_by_us},
          {"started_us", r.started.us},
          {"ended_us", r.ended.us},
          {"user_us", r.user_us},
          {"system_us", r.system_us},
          {"peak_rss_bytes", r.peak_rss_bytes},
          {"last_log", r.last_log},
          {"note", r.note}};
}
void TakeExit(const json& j, protocol::ExitRecord& r) {
  Take(j, "code", r.code);
  Take(j, "signal", r.signal);
  Take(j, "oom_killed", r.oom_killed);
  Take(j, "stopped_by_us", r.stopped_by_us);
  Take(j, "started_us", r.started.us);
  Take(j, "ended_us", r.ended.us);
  Take(j, "user_us", r.user_us);
  Take(j, "system_us", r.system_us);
  Take(j, "peak_rss_bytes", r.peak_rss_bytes);
  Take(j, "last_log", r.last_log);
  Take(j, "note", r.note);
}

json ProgressJson(const protocol::TrainerProgress& p) {
  return {{"generation", p.generation.value},
          {"step", p.step},
          {"phase", static_cast<int>(p.phase)},
          {"epoch", p.epoch},
          {"epochs", p.epochs},
          {"total_steps", p.total_steps},
          {"position", p.position},
          {"loss", p.loss},
          {"samples_per_second", p.samples_per_second},
          {"remaining_ms", p.remaining_ms},
          {"has_eval", p.has_eval},
          {"eval_loss", p.eval_loss},
          {"eval_accuracy", p.eval_accuracy},
          {"global_batch", p.global_batch},
          {"gradient_noise", p.gradient_noise},
          {"waiting_for", p.waiting_for}};
}
void TakeProgress(const json& j, protocol::TrainerProgress& p) {
  Take(j, "generation", p.generation.value);
  Take(j, "step", p.step);
  p.phase = static_cast<protocol::Phase>(j.value("phase", 0));
  Take(j, "epoch", p.epoch);
  Take(j, "epochs", p.epochs);
  Take(j, "total_steps", p.total_steps);
  Take(j, "position", p.position);
  Take(j, "loss", p.loss);
  Take(j, "samples_per_second", p.samples_per_second);
  Take(j, "remaining_ms", p.remaining_ms);
  Take(j, "has_eval", p.has_eval);
  Take(j, "eval_loss", p.eval_loss);
  Take(j, "eval_accuracy", p.eval_accuracy);
  Take(j, "global_batch", p.global_batch);
  Take(j, "gradient_noise", p.gradient_noise);
  Take(j, "waiting_for", p.waiting_for);
}
json CandidatesJson(const std::vector<protocol::RestoreCandidate>& candidates) {
  json list = json::array();
  for (const protocol::RestoreCandidate& c : candidates) {
    list.push_back({{"id", c.id.value}, {"uri", c.uri}, {"manifest_hash", c.manifest_hash}});
  }
  return list;
}
void TakeCandidates(const json& j, const char* key, std::vector<protocol::RestoreCandidate>& out) {
  auto list = j.find(key);
  if (list == j.end()) return;
  for (const json& each : *list) {
    protocol::RestoreCandidate& c = out.emplace_back();
    Take(each, "id", c.id.value);
    Take(each, "uri", c.uri);
    Take(each, "manifest_hash", c.manifest_hash);
  }
}

json GpuJson(const protocol::GpuInfo& g) {
  return {{"uuid", g.uuid},           {"name", g.name},
          {"index", g.index},         {"memory_bytes", g.memory_bytes},
          {"available", g.available}, {"why_not", g.why_not}};
}
void TakeGpu(const json& j, protocol::GpuInfo& g) {
  Take(j, "uuid", g.uuid);
  Take(j, "name", g.name);
  Take(j, "index", g.index);
  Take(j, "memory_bytes", g.memory_bytes);
  Take(j, "available", g.available);
  Take(j, "why_not", g.why_not);
}

}  // namespace

std::string ToJson(const core::JobRequest& r) {
  return Dump({{"labels", r.labels},
               {"workers", r.workers},
               {"cpus", r.cpus},
               {"gpus", r.gpus},
               {"memory_bytes", r.memory_bytes},
               {"node_selector", r.node_selector},
               {"gpu_kinds", r.gpu_kinds},
               {"within", static_cast<int>(r.within)},
               {"queue", r.queue},
               {"priority", r.priority},
               {"min_workers", r.min_workers},
               {"max_workers", r.max_workers},
               {"batch", r.batch},
               {"max_batch", r.max_batch},
               {"expected_us", r.expected_time.count()},
               {"end_when_preempted", r.end_when_preempted},
               {"max_attempts", r.max_attempts},
               {"time_limit_us", r.time_limit.count()},
               {"grace_us", r.grace.count()},
               {"keep_checkpoints", r.keep_checkpoints},
               {"store", r.store},
               {"local_store", r.local_store},
               {"resume_from", CandidatesJson(r.resume_from)},
               {"resume_node", r.resume_node.value}});
}
bool FromJson(const std::string& text, core::JobRequest* request) {
  std::string name = request->name;
  return Parse(text, request, [&name](const json& j, core::JobRequest& r) {
    r.name = name;
    Take(j, "labels", r.labels);
    Take(j, "workers", r.workers);
    Take(j, "cpus", r.cpus);
    Take(j, "gpus", r.gpus);
    Take(j, "memory_bytes", r.memory_bytes);
    Take(j, "node_selector", r.node_selector);
    Take(j, "gpu_kinds", r.gpu_kinds);
    int within = 0;
    Take(j, "within", within);
    r.within = static_cast<core::Within>(within);
    Take(j, "queue", r.queue);
    Take(j, "priority", r.priority);
    Take(j, "min_workers", r.min_workers);
    Take(j, "max_workers", r.max_workers);
    Take(j, "batch", r.batch);
    Take(j, "max_batch", r.max_batch);
    Take(j, "expected_us", r.expected_time);
    Take(j, "end_when_preempted", r.end_when_preempted);
    Take(j, "max_attempts", r.max_attempts);
    Take(j, "time_limit_us", r.time_limit);
    Take(j, "grace_us", r.grace);
    Take(j, "keep_checkpoints", r.keep_checkpoints);
    Take(j, "store", r.store);
    Take(j, "local_store", r.local_store);
    TakeCandidates(j, "resume_from", r.resume_from);
    Take(j, "resume_node", r.resume_node.value);
  });
}

std::string ToJson(const core::Speed& speed) {
  if (speed == core::Speed()) return "";
  json steps = json::array();
  for (const core::StepTime& s : speed.steps) {
    steps.push_back(
        {{"nodes", s.nodes}, {"workers", s.workers}, {"batch", s.batch}, {"seconds", s.seconds}});
  }
  return Dump({{"gradient_noise", speed.gradient_noise}, {"steps", std::move(steps)}});
}
bool FromJson(const std::string& text, core::Speed* speed) {
  *speed = {};
  if (text.empty()) return true;
  return Parse(text, speed, [](const json& j, core::Speed& out) {
    Take(j, "gradient_noise", out.gradient_noise);
    for (const json& each : j.at("steps")) {
      core::StepTime& s = out.steps.emplace_back();
      Take(each, "nodes", s.nodes);
      Take(each, "workers", s.workers);
      Take(each, "batch", s.batch);
      Take(each, "seconds", s.seconds);
    }
  });
}

std::string ToJson(const std::optional<core::Exit>& exit) {
  if (!exit) return "";
  return Dump(
      {{"rank", exit->rank}, {"node", exit->node.value}, {"record", ExitJson(exit->record)}});
}
bool FromJson(const std::string& text, std::optional<core::Exit>* exit) {
  if (text.empty()) return exit->reset(), true;
  return Parse(text, exit, [](const json& j, std::optional<core::Exit>& out) {
    core::Exit e;
    Take(j, "rank", e.rank);
    Take(j, "node", e.node.value);
    TakeExit(j.at("record"), e.record);
    out = std::move(e);
  });
}

std::string ToJson(const std::optional<core::LastProgress>& last) {
  if (!last) return "";
  return Dump({{"at_us", last->at.us}, {"progress", ProgressJson(last->progress)}});
}
bool FromJson(const std::string& text, std::optional<core::LastProgress>* last) {
  if (text.empty()) return last->reset(), true;
  return Parse(text, last, [](const json& j, std::optional<core::LastProgress>& out) {
    core::LastProgress value;
    Take(j, "at_us", value.at.us);
    TakeProgress(j.at("progress"), value.progress);
    out = std::move(value);
  });
}

std::string ToJson(const std::optional<protocol::ExitRecord>& exit) {
  return exit ? Dump(ExitJson(*exit)) : "";
}
bool FromJson(const std::string& text, std::optional<protocol::ExitRecord>* exit) {
  if (text.empty()) return exit->reset(), true;
  return Parse(text, exit, [](const json& j, std::optional<protocol::ExitRecord>& out) {
    TakeExit(j, out.emplace());
  });
}

std::string ToJson(const std::vector<std::string>& texts) { return Dump(texts); }
bool FromJson(const std::string& text, std::vector<std::string>* texts) {
  return Parse(text, texts, [](const json& j, std::vector<std::string>& out) { j.get_to(out); });
}

std::string ToJson(const std::vector<protocol::Member>& members) {
  json list = json::array();
  for (const protocol::Member& m : members) {
    list.push_back(
        {{"rank", m.rank}, {"incarnation", m.incarnation.value}, {"address", m.address}});
  }
  return Dump(list);
}
bool FromJson(const std::string& text, std::vector<protocol::Member>* members) {
  return Parse(text, members, [](const json& list, std::vector<protocol::Member>& out) {
    for (const json& j : list) {
      protocol::Member& m = out.emplace_back();
      Take(j, "rank", m.rank);
      Take(j, "incarnation", m.incarnation.value);
      Take(j, "address", m.address);
    }
  });
}

std::string ToJson(const protocol::Inventory& i) {
  json gpus = json::array();
  for (const protocol::GpuInfo& g : i.gpus) gpus.push_back(GpuJson(g));
  return Dump({{"name", i.name},
               {"address", i.address},
               {"cpu_slots", i.cpu_slots},
               {"memory_bytes", i.memory_bytes},
               {"gpus", gpus},
               {"gpu_note", i.gpu_note},
               {"labels", i.labels},
               {"version", i.version},
               {"boot_id", i.boot_id},
               {"conditions", i.conditions},
               {"why_no_work", i.why_no_work}});
}
bool FromJson(const std::string& text, protocol::Inventory* inventory) {
  return Parse(text, inventory, [](const json& j, protocol::Inventory& i) {
    Take(j, "name", i.name);
    Take(j, "address", i.address);
    Take(j, "cpu_slots", i.cpu_slots);
    Take(j, "memory_bytes", i.memory_bytes);
    for (const json& g : j.value("gpus", json::array())) TakeGpu(g, i.gpus.emplace_back());
    Take(j, "gpu_note", i.gpu_note);
    Take(j, "labels", i.labels);
    Take(j, "version", i.version);
    Take(j, "boot_id", i.boot_id);
    Take(j, "conditions", i.conditions);
    Take(j, "why_no_work", i.why_no_work);
  });
}

std::string ToJson(const std::map<std::string, std::string>& labels) { return Dump(labels); }

}  // namespace coxswain::coordinator::store
