// The server streams of coxswain.v1, ready to be begun. The requests have been checked.
#pragma once

#include <memory>

#include "coordinator/rpc/stream_call.h"
#include "coordinator/runtime/api.h"
#include "coxswain/v1/coxswain.pb.h"

namespace coxswain::coordinator::rpc {

std::shared_ptr<StreamCall<v1::WatchJobResponse>> MakeJobStream(runtime::Api* api, WorkLoop* loop,
                                                                const v1::WatchJobRequest& request);
std::shared_ptr<StreamCall<v1::Event>> MakeEventStream(runtime::Api* api, WorkLoop* loop,
                                                       const v1::ListEventsRequest& request);
std::shared_ptr<StreamCall<v1::MetricPoints>> MakeMetricStream(
    runtime::Api* api, WorkLoop* loop, const v1::GetMetricsRequest& request);
std::shared_ptr<StreamCall<v1::LogChunk>> MakeLogStream(runtime::Api* api, WorkLoop* loop,
                                                        const v1::GetLogsRequest& request);

}  // namespace coxswain::coordinator::rpc
