// Checks of requests that need no more than the request: each says in one line what was found and
// what was expected. Pure.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "coordinator/store/metric_store.h"
#include "coordinator/store/state_store.h"

namespace coxswain::v1 {
class CancelJobRequest;
class DrainNodeRequest;
class GetLogsRequest;
class GetMetricsRequest;
class ListEventsRequest;
class ListJobsRequest;
class SubmitJobRequest;
}  // namespace coxswain::v1

namespace coxswain::coordinator::rpc {

inline constexpr uint32_t kPageDefault = 100, kPageLargest = 1000;

grpc::Status Invalid(const std::string& text);
grpc::Status Check(const v1::SubmitJobRequest& request);
grpc::Status Check(const v1::CancelJobRequest& request);
grpc::Status Check(const v1::DrainNodeRequest& request);
grpc::Status Check(const v1::GetLogsRequest& request);
grpc::Status Check(const v1::GetMetricsRequest& request);
grpc::Status Check(const v1::ListEventsRequest& request);

// The filter with one job more than the page holds, so that the caller sees whether more follow.
// `scope` binds page tokens to the filter.
grpc::Status ReadFilter(const v1::ListJobsRequest& request, store::JobFilter* filter,
                        std::string* scope);
uint32_t PageSize(uint32_t asked);  // 0: the default; never above the largest
grpc::Status BadPageToken();

}  // namespace coxswain::coordinator::rpc
