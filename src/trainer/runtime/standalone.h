// `cox-trainer --standalone`: a rank without worker and coordinator, for tests and bare
// measurements.
#pragma once

#include <string>
#include <vector>

namespace coxswain::trainer {

// `arguments`: what follows --standalone. Returns an exit code for wrong usage; otherwise never.
int RunStandalone(const std::vector<std::string>& arguments);

extern const char kStandaloneUsage[];

}  // namespace coxswain::trainer
