// What runtime::Api tells, as JSON. Field names and meanings are those of coxswain.v1
// (docs/api.md).
#pragma once

#include <string>
#include <vector>

#include "coordinator/runtime/api.h"
#include "coordinator/runtime/node_names.h"

namespace coxswain::coordinator::http {

using core::NodeState;
using runtime::NodeNames;

// `next_page_token`: empty on the last page.
std::string JobsJson(const std::vector<runtime::JobView>& jobs, const std::string& next_page_token,
                     const NodeNames& names);
std::string JobJson(const runtime::JobView& job,
                    const std::vector<core::CheckpointRow>& checkpoints,
                    const std::vector<core::EventRow>& events, const NodeNames& names);
std::string NodesJson(const std::vector<runtime::NodeView>& nodes);
std::string QueuesJson(const runtime::QueuesView& view);
std::string ErrorJson(const std::string& text);

// The reason that is current: the live one, or the row's.
const std::string& ReasonOf(const runtime::JobView& job);
// Its conditions, but for those that the reason has in it.
std::vector<std::string> OtherConditions(const runtime::JobView& job);
// How many ranks it has: "2", "3 (1-4)", "- (1-4)" of one that has none.
std::string RanksText(const runtime::JobView& job);

}  // namespace coxswain::coordinator::http
