// Tasks from a shell: `cox-trainer --task check --spec FILE`.
#pragma once

#include <string>
#include <vector>

namespace coxswain::trainer::task {

extern const char kTaskUsage[];

// `arguments`: what follows --task. Prints one JSON object: {"ok": true, "result": {...}} or {"ok":
// false, "error": "...", "user_error": ...}. Returns the process's exit code: 0, 2 (usage), 10
// (user error) or 11 (infrastructure).
int RunByHand(const std::vector<std::string>& arguments);

}  // namespace coxswain::trainer::task
