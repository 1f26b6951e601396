#include "tests/scenario/coordinator/core_script.h"

#include "common/base/check.h"
#include "tests/fakes/coordinator/decision_text.h"

namespace coxswain::scenario {

namespace core = coordinator::core;

namespace {

protocol::RankKey ParseKey(const std::string& text) {
  size_t a = text.find('/'), b = text.rfind('/');
  CHECK(a != b) << "not a rank, as in j1/1/0: " << text;
  return {*base::ParseJobId(text.substr(0, a)),
          base::Attempt(std::stoull(text.substr(a + 1, b - a - 1))),
          static_cast<base::Rank>(std::stoul(text.substr(b + 1)))};
}

void ReadInventory(const Arguments& args, const std::string& node, protocol::Inventory* inventory) {
  inventory->name = node;
  inventory->address = node + ".test";
  inventory->cpu_slots = static_cast<uint32_t>(args.Number("slots", inventory->cpu_slots));
  inventory->memory_bytes = args.Number("memory", inventory->memory_bytes >> 30) << 30;
  inventory->version = "0.1.0";
  if (args.values.contains("unable")) {
    inventory->why_no_work =
        args.Text("unable") == "no" ? "" : "unable to write /" + args.Text("unable");
  }
  if (args.values.contains("zone")) inventory->labels["zone"] = args.Text("zone");
  if (!args.values.contains("gpus")) return;
  inventory->gpus.clear();
  for (int64_t i = 0; i < args.Number("gpus"); ++i) {
    inventory->gpus.push_back(
        {.uuid = "GPU-" + node + "-" + std::to_string(i), .index = static_cast<uint32_t>(i)});
    if (args.Number("bad", -1) == i) {
      inventory->gpus.back().available = false;
      inventory->gpus.back().why_not = "Xid 79";
    }
  }
}

}  // namespace

CoreScript::CoreScript(core::Settings settings) : world_(std::move(settings)) {
  AddWorkerCommands();
  AddUserCommands();
  AddTrainerCommands();
  AddCheckpointCommands();
  AddTimeCommands();
  AddViewCommands();
}

std::string CoreScript::Run(const std::string& line) {
  bool quiet = line.starts_with("@");
  Arguments args = TakeApart(quiet ? line.substr(1) : line);
  CHECK(!args.words.empty()) << "an empty command";
  std::string name = args.words.front();
  args.words.erase(args.words.begin());
  auto command = commands_.find(name);
  CHECK(command != commands_.end()) << "no command '" << name << "'";
  std::string out = command->second(args);
  if (quiet) return "";
  return out.empty() ? "nothing\n" : out;
}

std::string CoreScript::Show(const core::Decisions& decisions) {
  return fakes::DecisionText(decisions, [this](core::SessionId id) { return session_names_[id]; });
}

std::string CoreScript::Decide(core::EventBody body) {
  return Show(world_.Decide(std::move(body)));
}

std::string CoreScript::Report(const std::string& node, protocol::WorkerReport report) {
  return Decide(core::WorkerReported{sessions_[node], std::move(report)});
}

base::Incarnation CoreScript::IncarnationOf(const protocol::RankKey& key) const {
  auto row = world_.store().ranks().find(key);
  return row == world_.store().ranks().end() ? base::Incarnation(77) : row->second.incarnation;
}

std::string CoreScript::NodeOf(const protocol::RankKey& key) const {
  auto row = world_.store().ranks().find(key);
  return row == world_.store().ranks().end() ? "" : row->second.node.value;
}

std::string CoreScript::FromTrainer(const std::string& text, protocol::TrainerReport report) {
  protocol::RankKey key = ParseKey(text);
  return Report(NodeOf(key), protocol::FromTrainer{key, IncarnationOf(key), std::move(report)});
}

// "j1/1/0:running", "j1/1/0:exited9" (a signal)
protocol::RankReport CoreScript::ReportOf(const std::string& text) const {
  size_t colon = text.find(':');
  protocol::RankReport report;
  report.key = ParseKey(text.substr(0, colon));
  report.incarnation = IncarnationOf(report.key);
  std::string state = colon == std::string::npos ? "running" : text.substr(colon + 1);
  report.pid = 100 + report.key.rank;
  report.state = protocol::RankState::kRunning;
  if (state == "starting") report.state = protocol::RankState::kStarting;
  if (state.starts_with("exited")) {
    report.state = protocol::RankState::kExited;
    report.exit = protocol::ExitRecord{.signal = state.size() > 6 ? std::stoi(state.substr(6)) : 0};
  } else if (state != "starting") {
    report.ready = protocol::TrainerReady{"10.0.0.1:" + std::to_string(report.pid), {}};
  }
  return report;
}

std::vector<protocol::RankReport> CoreScript::AllRanksOf(const std::string& node) const {
  std::vector<protocol::RankReport> reports;
  for (const auto& [key, row] : world_.store().ranks()) {
    if (row.node.value != node || row.exit || row.pid == 0) continue;
    reports.push_back(ReportOf(fakes::KeyText(key)));
  }
  return reports;
}

std::string CoreScript::Hello(const Arguments& args) {
  std::string node = args.words.at(0);
  std::string as = args.Text("as", node);  // name of the stream, for a second one of the same node
  ReadInventory(args, as, &inventories_[as]);
  protocol::WorkerHello hello;
  hello.cluster = base::ClusterId(args.Text("cluster"));
  hello.node = base::NodeId(node);
  if (!incarnations_.contains(as)) incarnations_[as] = base::Incarnation(incarnations_.size() + 1);
  if (args.values.contains("inc")) incarnations_[as] = base::Incarnation(args.Number("inc"));
  hello.incarnation = incarnations_[as];
  hello.highest_term = base::Term(args.Number("term", 0));
  hello.protocol_oldest = hello.protocol_newest = static_cast<uint32_t>(args.Number("protocol", 1));
  hello.inventory = inventories_[as];
  for (size_t i = 1; i < args.words.size(); ++i) {
    if (args.words[i] != "empty") hello.ranks.push_back(ReportOf(args.words[i]));
  }
  if (args.words.size() == 1) hello.ranks = AllRanksOf(node);
  core::SessionId session(++next_session_);
  session_names_[session] = as;
  std::string out = Decide(core::WorkerConnected{session, std::move(hello)});
  if (out.find("Welcome") != std::string::npos || as != node) sessions_[as] = session;
  return out;
}

void CoreScript::AddWorkerCommands() {
  commands_["hello"] = [this](const Arguments& args) { return Hello(args); };
  commands_["bye"] = [this](const Arguments& args) {
    return Decide(core::WorkerDisconnected{sessions_[args.words.at(0)], "connection reset"});
  };
  commands_["leaving"] = [this](const Arguments& args) {
    return Report(args.words.at(0), protocol::Leaving{});
  };
  commands_["heartbeat"] = [this](const Arguments& args) {
    protocol::Heartbeat heartbeat;
    if (!args.values.empty()) {
      ReadInventory(args, args.words.at(0), &inventories_[args.words.at(0)]);
      heartbeat.changed_inventory = inventories_[args.words.at(0)];
    }
    return Report(args.words.at(0), heartbeat);
  };
  commands_["started"] = [this](const Arguments& args) {
    protocol::RankKey key = ParseKey(args.words.at(0));
    return Report(NodeOf(key), protocol::RankStarted{key, IncarnationOf(key), 100 + key.rank});
  };
  commands_["exited"] = [this](const Arguments& args) {
    protocol::RankKey key = ParseKey(args.words.at(0));
    protocol::ExitRecord exit;
    exit.code = static_cast<int>(args.Number("code"));
    exit.signal = static_cast<int>(args.Number("signal"));
    exit.oom_killed = args.Has("oom");
    exit.stopped_by_us = args.Has("ours");
    exit.last_log = args.Text("log");
    exit.note = args.Text("note");
    return Report(args.Text("on", NodeOf(key)),
                  protocol::RankExited{key, IncarnationOf(key), exit});
  };
  commands_["task"] = [this](const Arguments& args) {
    protocol::TaskEnded end;
    end.task = *base::ParseTaskId(args.words.at(0));
    end.ok = args.words.at(1) == "ok";
    end.user_error = args.words.at(1) == "bad";
    end.error = args.Rest(2);
    return Report(args.Text("on", "a"), end);
  };
}

// As runtime/submission.cc does it.
void CoreScript::ResumeFrom(base::JobId job, core::JobSubmitted* event) const {
  const auto& rows = world_.store().checkpoints();
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    const core::CheckpointRow& c = row->second;
    if (c.job != job || !core::CanRestore(c)) continue;
    if (event->request.resume_from.empty() && c.uri.starts_with("file://")) {
      event->request.resume_node = c.node;
    }
    event->request.resume_from.push_back({c.id, c.uri, c.manifest_hash});
  }
  event->resume_uri = event->request.resume_from.at(0).uri;
}

// "scheduling priority x=2/3 y=1": the policy, and queues with quota and limit in CPU slots.
std::string CoreScript::Schedule(const Arguments& args) {
  core::SchedulingSettings settings;
  for (const auto& [name, value] : args.values) {
    core::QueueSettings& queue = settings.queues.emplace_back();
    queue.name = name;
    queue.quota = {.cpus = std::stoll(value), .gpus = std::nullopt};
    size_t limit = value.find('/');
    if (limit != std::string::npos) queue.limit.cpus = std::stoll(value.substr(limit + 1));
  }
  if (args.Has("priority")) settings.policy = core::PolicyName::kPriority;
  if (args.Has("fair")) settings.policy = core::PolicyName::kFair;
  if (args.Has("las")) settings.policy = core::PolicyName::kLas;
  if (args.Has("elastic")) settings.policy = core::PolicyName::kElastic;
  world_.Restart(std::move(settings));
  return std::string();
}

void CoreScript::AddUserCommands() {
  commands_["submit"] = [this](const Arguments& args) {
    core::JobSubmitted event;
    event.call = core::CallId(++next_call_);
    event.request.name = args.words.at(0);
    event.request.workers = static_cast<uint32_t>(args.Number("workers", 1));
    event.request.min_workers = static_cast<uint32_t>(args.Number("min", 0));
    event.request.max_workers = static_cast<uint32_t>(args.Number("max", 0));
    event.request.batch = args.Number("batch", 0);
    event.request.at_once = args.Number("at_once", 0);
    event.request.max_batch = args.Number("max_batch", 0);
    event.request.cpus = static_cast<uint32_t>(args.Number("cpus", 1));
    event.request.gpus = static_cast<uint32_t>(args.Number("gpus", 0));
    event.request.queue = args.Text("queue");
    if (args.values.contains("zone")) event.request.node_selector["zone"] = args.Text("zone");
    event.request.priority = static_cast<int32_t>(args.Number("priority", 0));
    event.request.expected_time = args.Length("expected");
    event.request.end_when_preempted = args.Has("end");
    event.request.memory_bytes = args.Number("memory", 0) << 30;
    event.request.max_attempts = static_cast<uint32_t>(args.Number("attempts", 3));
    event.request.keep_checkpoints = static_cast<uint32_t>(args.Number("keep", 3));
    event.request.time_limit = args.Length("limit");
    event.request.grace = args.Length("grace", base::seconds(30));
    event.request.store = args.Text("store");
    event.request.local_store = args.Has("local");
    event.request.own_program = args.Has("program");
    event.spec_yaml = "name: " + event.request.name;
    event.idempotency_key = args.Text("key");
    event.request_digest = args.Text("digest", "d");
    event.submitted_by = args.Text("by");
    event.resume_uri = args.Text("resume");
    if (args.values.contains("from")) ResumeFrom(*base::ParseJobId(args.Text("from")), &event);
    event.dry_run = args.Has("dry");
    return Decide(std::move(event));
  };
  commands_["scheduling"] = [this](const Arguments& args) { return Schedule(args); };
  commands_["cancel"] = [this](const Arguments& args) {
    bool save = args.words.size() > 1 && args.words[1] == "save";
    return Decide(core::CancelRequested{core::CallId(++next_call_),
                                        *base::ParseJobId(args.words.at(0)),
                                        args.Rest(save ? 2 : 1), save});
  };
  commands_["drain"] = [this](const Arguments& args) {
    bool undo = args.words.size() > 1 && args.words[1] == "undo";
    return Decide(core::DrainRequested{
        core::CallId(++next_call_), base::NodeId(args.words.at(0)), args.Rest(undo ? 2 : 1), undo,
        args.values.contains("in") ? world_.Wall() + args.Length("in") : base::WallTime()});
  };
  commands_["forget"] = [this](const Arguments& args) {
    return Decide(
        core::ForgetRequested{core::CallId(++next_call_), base::NodeId(args.words.at(0))});
  };
  commands_["retention"] = [this](const Arguments& args) {
    core::RetentionDue event;
    for (const std::string& job : args.words) event.jobs.push_back(*base::ParseJobId(job));
    event.events_up_to = base::EventSeq(args.Number("events"));
    return Decide(std::move(event));
  };
}

void CoreScript::AddTimeCommands() {
  commands_["pass"] = [this](const Arguments& args) { return Pass(args); };
  commands_["late"] = [this](const Arguments& args) {
    base::Duration by = ParseLength(args.words.at(0));
    world_.set_now(world_.now() + by);
    return Decide(core::TimePassed{by});
  };
  commands_["jump"] = [this](const Arguments& args) {
    std::string by = args.words.at(0);
    const bool back = by.front() == '-';
    world_.JumpWall(ParseLength(by.substr(back ? 1 : 0)) * (back ? -1 : 1));
    return std::string();
  };
  commands_["restart"] = [this](const Arguments&) {
    uint64_t before = world_.core().HardDigest();
    world_.Restart();
    sessions_.clear();
    // The term is all that a start changes.
    return std::string(before == world_.core().HardDigest() ? "same term" : "term ") +
           std::to_string(world_.store().cluster().term.value) + "\n";
  };
}

std::string CoreScript::Pass(const Arguments& args) {
  base::Time end = world_.now() + ParseLength(args.words.at(0));
  std::vector<std::string> heard(args.words.begin() + 1, args.words.end());
  std::string out;
  base::Time start = world_.now();
  auto show = [&](const std::string& text) {
    if (text.empty()) return;
    out += "[" + std::to_string((world_.now() - start).count() / 1000) + "ms]\n" + text;
  };
  while (world_.now() < end) {
    base::Time next = std::min(end, world_.now() + base::seconds(1));
    for (const core::Decisions& decisions : world_.PassUntil(next)) show(Show(decisions));
    for (const std::string& node : heard) {
      if (node != "hearing") show(Report(node, protocol::Heartbeat{}));
    }
  }
  return out;
}

}  // namespace coxswain::scenario
