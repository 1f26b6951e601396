// What the coordinator's clock says. Its times are on its clock, and this machine's may be wrong:
// how long ago something was, and a deadline in so many minutes, are reckoned with this one. One
// for the process: it talks to one coordinator.
#pragma once

#include "common/base/time.h"

namespace coxswain::cli::rpc {

// As of the last answer that told it; this machine's until then.
base::WallTime CoordinatorNow();

// An answer to a call that was made at `sent`, and came at `came`, by this machine's clock, says
// that the coordinator's was `told` in between. What the call's own duration may explain counts as
// no difference.
void HearClock(base::WallTime sent, base::WallTime came, base::WallTime told);

}  // namespace coxswain::cli::rpc
