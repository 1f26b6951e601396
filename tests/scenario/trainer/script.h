// One rank's core, driven by text.
//
//   rank R every_steps=N every_time=MS incarnation=I saves=0     a new core (first command of a
//   story) after MS                                    time passes, timers fire as they are due
//   start | connect | sigterm
//   form g=G members=I,I,... restore=C,C        incarnations, ascending by rank
//   opened c=C step=N g=G | write c=C shards=N | committed c=C | refused c=C step=N g=G
//   save | stop save=1 | ack
//   formed step=N position=P samples=S batch=B epochs=E eval=1 restored=C
//   step save=1 wanted=1 stop=1 stop_save=1     the engine's answers; step and position count on
//   broken | nan ranks=R,R | copied | evaluated | exported | failed code=N
//   stored c=C | lost c=C | written c=C | marked c=C            storage's answers
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {

class Script {
 public:
  // Runs one line and returns the decisions, one a line.
  std::string Run(const std::string& line);

 private:
  using Words = std::map<std::string, std::string>;
  bool Outside(const std::string& verb, const Words& words, Event* event);
  bool Order(const std::string& verb, const Words& words, Event* event);
  bool FromEngine(const std::string& verb, const Words& words, Event* event);
  bool FromStorage(const std::string& verb, const Words& words, Event* event);
  std::string After(int64_t ms);
  std::string Decide(const Event& event);

  std::unique_ptr<TrainerCore> core_;
  base::Time now_;
  TrainingPlan plan_;
  int64_t step_ = 0, position_ = 0;
};

// Decisions as text; progress reports are left out unless `progress`.
std::string ToText(const Decisions& decisions, bool progress);

}  // namespace coxswain::trainer::core
