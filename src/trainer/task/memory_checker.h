// Does a job's model fit into the memory there is? By arithmetic: nothing is allocated.
#pragma once

#include <cstdint>
#include <string>

#include "common/config/job_spec.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::task {

struct MachineSize {
  int64_t memory = 0;  // bytes of the largest machine; 0: not known
  int64_t ranks = 1;   // that some machine must hold at once
};

// `rows`: bytes of a table's rows that each rank keeps (spec.data.buffer). One line that begins
// with the key to change and has both numbers; empty: nothing says that it cannot fit. Activations
// and data of other kinds come on top of what is counted here. Jobs with GPUs are not judged: their
// state is in the memory of those.
std::string WhyTooLarge(const config::JobSpec& spec, const state::StateList& list,
                        const MachineSize& machine, uint64_t rows = 0);

}  // namespace coxswain::trainer::task
