// One task of a worker, from its order to its end: what `cox-trainer --task` runs.
//
// Arguments and results are JSON:
//   kCheck    {"spec_yaml", "multi_node", "at_submit"?, "machine"?, "resume"?, "probe"?}
//             {"train_samples", "evaluate_samples", "height", "width", "store"}; of tables, whose
//             samples may not be known yet, "numeric_columns" and "categorical_columns"; of text,
//             likewise, "parameters"
//     "probe": {"write": "TOKEN"} leaves a mark in the store, {"see": "TOKEN"} asks for one that
//     another machine left (and removes it, without "keep": true): only this is checked then.
//     Proves that a file:// store is shared.
//     "machine": {"memory", "ranks"}: bytes of the fleet's largest machine, and how many ranks some
//     machine must hold; a model that cannot fit there is refused.
//     "resume": {"candidates": [{"uri", "manifest_hash"}], "uncommitted", "elsewhere"}: newest
//     first, what the job begins with.
//     With `ok`, TaskEnded::error is a warning for whoever submitted; empty: none.
//   kVerify   {"uri", "manifest_hash"?}               {"step", "shards", "bytes", "manifest_hash",
//                                                      "committed"}
//   kCollect  {"uris", "prefix"?}                     {"deleted", "bytes", "aborted_uploads"}
//     "prefix": only what is below may be deleted; without it the store of the job.
//
// TaskEnded::user_error of a failure: kCheck: the job file, data or store must be corrected by a
// person, or ("at_submit") cannot be reached now; kVerify: the checkpoint is proved wrong (false:
// it could not be read now); kCollect: the order is wrong. Blocking; one task at a time.
#pragma once

#include <string>

#include "common/protocol/worker_messages.h"

namespace coxswain::trainer::task {

// `default_store`: where checkpoints of a job go that names no store (COXSWAIN_STORE).
protocol::TaskEnded RunTask(const protocol::StartTask& task, const std::string& default_store);

}  // namespace coxswain::trainer::task
