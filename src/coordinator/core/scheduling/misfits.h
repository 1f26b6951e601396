// Gangs that found no room in a plan. While it is being made slots only become fewer, so that none
// that asks for as much can find any: with a long queue, most are known not to fit without a look.
// Inside scheduling/ only.
#pragma once

#include <optional>
#include <vector>

#include "common/base/time.h"
#include "coordinator/core/placement/fleet_view.h"
#include "coordinator/core/scheduling/queue_tree.h"

namespace coxswain::coordinator::core {

class Misfits {
 public:
  // `expected`: how long it would run; nothing: not known. One that runs for longer can be lent no
  // more of what is promised to others.
  void Add(PendingJob needs, std::optional<base::Duration> expected);
  bool Covers(const PendingJob& needs, std::optional<base::Duration> expected) const;
  // A gang of any machines, that would not fit either if all that is promised were lent to it:
  // nobody needs to know more of one that asks for as much.
  void AddPlain(const PendingJob& needs);
  bool CoversPlainly(uint32_t ranks, const Amount& rank) const;

 private:
  struct Plain {
    uint32_t ranks = 0;
    Amount rank;
  };
  struct Misfit {
    PendingJob needs;
    std::optional<base::Duration> expected;
  };
  std::vector<Misfit> known_;  // none of them covers another
  std::vector<Plain> plain_;   // likewise
};

}  // namespace coxswain::coordinator::core
