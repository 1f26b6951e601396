// The status pages: whole HTML documents for whoever is on call. What is wrong now comes first.
// Everything that came from outside (names, reasons, logs) is escaped; no inline style or script,
// so that the content security policy can forbid both.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

absl::StatusOr<std::string> OverviewPage(runtime::Api& api);
// `page` from 1; a number past the last shows the last. `name`: those that have it in their name.
// `state`: those in it ("READY" ...); InvalidArgument names them all.
struct NodesQuery {
  size_t page = 1;
  std::string name;
  std::string state;
};
absl::StatusOr<std::string> NodesPage(runtime::Api& api, const NodesQuery& query = {});
absl::StatusOr<std::string> QueuesPage(runtime::Api& api);
absl::StatusOr<std::string> JobPage(runtime::Api& api, const std::string& id_or_name);  // NotFound
std::string ErrorPage(const std::string& text);

extern const char kStyle[];          // /style.css
extern const char kRefreshScript[];  // /refresh.js: takes the page anew every few seconds

// "RUNNING" and so on; InvalidArgument names them all.
absl::StatusOr<core::JobState> StateOf(const std::string& name);

}  // namespace coxswain::coordinator::http
