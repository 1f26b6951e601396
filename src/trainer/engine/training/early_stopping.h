// What evaluations are worth, and when they have not got better for too long. The record is part of
// the state: it is saved, and the same on every rank. Pure.
#pragma once

#include <string>

#include "common/config/job_spec.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

double ValueOf(config::Metric metric, const EvaluationResult& result);

class EarlyStopping {
 public:
  void Start(const config::EarlyStopping& settings) { settings_ = settings; }
  bool wanted() const { return settings_.patience > 0; }
  // Of the evaluation after `step`; one that is repeated counts once. Why training ends here;
  // empty: it goes on.
  std::string Take(int64_t step, const EvaluationResult& result);

  const EvaluationRecord& record() const { return record_; }
  void Set(const EvaluationRecord& record) { record_ = record; }

 private:
  config::EarlyStopping settings_;
  EvaluationRecord record_;
};

}  // namespace coxswain::trainer::engine
