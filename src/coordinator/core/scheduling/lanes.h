// The waiting jobs in the order in which they are offered slots. Inside scheduling/ only.
//
// Those of one user in one queue stand in a lane, in the policy's order: those that the quota would
// cover now in one, the others in another, so that one that borrows does not hold up those that do
// not. Among lanes the one whose head is first goes first, asked anew whenever slots were given
// out.
#pragma once

#include <vector>

#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {

class Lanes {
 public:
  // All outlive it.
  Lanes(std::vector<WaitingJob>& waiting, const QueueTree& tree, const Policy& policy);

  // Null: there are no more. Without those that `skip` says are to be left out.
  template <class Skip>
  WaitingJob* Next(Skip skip) {
    while (Lane* lane = First()) {
      WaitingJob* job = lane->jobs[lane->at++];
      while (lane->at < lane->jobs.size() && skip(*lane->jobs[lane->at])) ++lane->at;
      PutBack(lane);
      if (!skip(*job)) return job;
    }
    return nullptr;
  }
  // What queues hold has changed, and with it who is first.
  void Reorder() { stale_ = true; }
  // Of those that are still to come; the lost ones aside.
  template <class Is>
  bool AnyInQueue(QueueIndex queue, Is is) const {
    for (const Lane& lane : lanes_) {
      if (lane.jobs.front()->queue != queue) continue;
      for (size_t i = lane.at; i < lane.jobs.size(); ++i) {
        if (!lane.jobs[i]->lost && is(*lane.jobs[i])) return true;
      }
    }
    return false;
  }

 private:
  struct Lane {
    std::vector<WaitingJob*> jobs;
    size_t at = 0;
    WaitingKey key;  // of the next one
  };

  void NotePatient(const WaitingJob& job);
  bool IsBefore(const WaitingJob& one, const WaitingJob& other) const;
  bool IsBehindPatient(const WaitingJob& job) const;
  void Add(Lane lane);
  void Rate(Lane* lane) const;
  Lane* First();  // taken off the heap
  void PutBack(Lane* lane);
  bool IsLater(size_t a, size_t b) const { return lanes_[b].key < lanes_[a].key; }

  const QueueTree& tree_;
  const Policy& policy_;
  std::vector<const WaitingJob*> patient_;  // by queue: the first that borrows and waited long
  std::vector<Lane> lanes_;
  std::vector<size_t> heads_;  // lanes that have more: a heap, the first on top
  bool stale_ = true;
};

}  // namespace coxswain::coordinator::core
