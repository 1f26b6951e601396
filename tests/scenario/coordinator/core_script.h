// Text commands for a CoreWorld: one line is one event (or a look at the state), its answer is
// text.
//
//   hello a slots=4 gpus=2 [inc=7] [cluster=x] [term=9] [protocol=1-1] [j1/1/0:running ...] [empty]
//                                       the worker's stream begins; without ranks or `empty`: all
//                                       it has
//   bye a | heartbeat a [slots=8] [unable=PLACE|no] | leaving a
//   submit NAME workers=2 cpus=1 gpus=0 memory=GIB attempts=3 key=K digest=D limit=60s grace=30s
//   keep=3
//          store=URI resume=URI from=j1 local dry
//   cancel j1 [save] [REASON] | drain a [undo] [REASON] | forget a
//   started|ready|formed|progress|collective|finished|failed|exited j1/1/0 ...  (see Commands())
//   open|stored|manifest|save-failed j1/1/0 g=1 ...
//   task t1 ok | bad TEXT | later TEXT
//   run j1                              all ranks: started, ready, formed (nothing printed)
//   pass 5s [hearing a b]               time passes; heartbeats of those nodes come every second
//   late 10s                            the loop was late by that much
//   restart                             a new core of the committed rows
//   retention j1 [events=5]
//   jobs | ranks | checkpoints | events [j1] | views | nodes
// A line that begins with '@' prints nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/fakes/coordinator/core_world.h"

namespace coxswain::scenario {

// A command line, taken apart: "submit x workers=2 local" -> words {"x", "local"}, values {workers:
// 2}.
struct Arguments {
  std::vector<std::string> words;
  std::map<std::string, std::string> values;
  bool Has(const std::string& word) const;
  std::string Text(const std::string& key, const std::string& otherwise = "") const;
  int64_t Number(const std::string& key, int64_t otherwise = 0) const;
  base::Duration Length(const std::string& key, base::Duration otherwise = {}) const;
  std::string Rest(size_t from) const;  // words from there on, joined
};
Arguments TakeApart(const std::string& line);
base::Duration ParseLength(const std::string& text);  // "5s", "200ms"

class CoreScript {
 public:
  explicit CoreScript(coordinator::core::Settings settings);
  // Runs one line and returns what it led to.
  std::string Run(const std::string& line);

 private:
  using Command = std::function<std::string(const Arguments&)>;
  void AddWorkerCommands();
  void AddUserCommands();
  std::string Schedule(const Arguments& args);
  void ResumeFrom(base::JobId job, coordinator::core::JobSubmitted* event) const;
  void AddTrainerCommands();
  void AddCheckpointCommands();
  void AddTimeCommands();
  void AddViewCommands();

  std::string Decide(coordinator::core::EventBody body);
  std::string Show(const coordinator::core::Decisions& decisions);
  std::string Report(const std::string& node, protocol::WorkerReport report);
  std::string FromTrainer(const std::string& key, protocol::TrainerReport report);
  std::string Hello(const Arguments& args);
  std::string Pass(const Arguments& args);
  std::string RunJob(const std::string& job);
  protocol::RankReport ReportOf(const std::string& text) const;
  std::vector<protocol::RankReport> AllRanksOf(const std::string& node) const;
  base::Incarnation IncarnationOf(const protocol::RankKey& key) const;
  std::string NodeOf(const protocol::RankKey& key) const;

  fakes::CoreWorld world_;
  std::map<std::string, Command> commands_;
  std::map<std::string, coordinator::core::SessionId> sessions_;  // current, by node
  std::map<coordinator::core::SessionId, std::string> session_names_;
  std::map<std::string, protocol::Inventory> inventories_;
  std::map<std::string, base::Incarnation> incarnations_;
  uint64_t next_session_ = 0, next_call_ = 0;
};

}  // namespace coxswain::scenario
