// The way of metric points from a rank to the coordinator's store, made of its real parts (the
// trainer's buffer, the worker's buffer and relay, the metric store) around links that break,
// processes that are killed, and a machine that loses its power. One thread, one seeded generator.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "coordinator/store/metric_store.h"
#include "sim/dice.h"
#include "trainer/rpc/metric_buffer.h"
#include "worker/runtime/metric_relay.h"

namespace coxswain {

class MetricChain {
 public:
  explicit MetricChain(uint64_t seed);
  ~MetricChain();
  MetricChain(const MetricChain&) = delete;
  MetricChain& operator=(const MetricChain&) = delete;

  // Steps and faults, then all is healed and everything arrives.
  void Run();
  // What is missing, there twice, or of an older generation than it should be; empty: nothing.
  std::string WhatIsWrong() const;

 private:
  struct ToWorker {
    uint64_t sequence = 0, dropped = 0;
    std::vector<protocol::MetricPoint> points;
  };

  void Act();
  void Fault();
  void Step();
  void SendToWorker();
  void DeliverToWorker();
  void Take(const ToWorker& message);
  void DeliverToCoordinator();
  void DeliverAcknowledgement();
  void BreakTrainerLink();
  void BreakCoordinatorLink();
  void OpenWorker();
  void KillTrainer();
  void CutPower();

  sim::Dice dice_;
  std::string folder_, boot_ = "boot-1";
  int boots_ = 1;
  // The trainer.
  std::optional<trainer::MetricBuffer> trainer_;
  base::Generation generation_;
  int64_t step_ = 0, checkpoint_ = 0;
  std::deque<ToWorker> to_worker_;
  // The worker.
  std::unique_ptr<worker::MetricsBuffer> buffer_;
  std::optional<worker::MetricRelay> relay_;
  bool linked_ = false;
  std::deque<protocol::MetricBatch> to_coordinator_;
  std::deque<uint64_t> acknowledgements_;
  // The coordinator.
  std::unique_ptr<coordinator::store::MetricStore> store_;
  // What was measured: by step, in which generations; and what may be lost with a process or a
  // disk.
  std::map<int64_t, std::set<base::Generation>> emitted_;
  std::set<std::pair<int64_t, base::Generation>> taken_;  // by the worker
  std::set<std::pair<int64_t, base::Generation>> may_be_lost_;
};

}  // namespace coxswain
