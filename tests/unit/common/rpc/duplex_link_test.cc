#include "common/rpc/duplex_link.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>

#include "coxswain/internal/v1/internal.grpc.pb.h"

namespace coxswain::rpc {
namespace {

namespace wire = ::coxswain::internal::v1;
using Link = DuplexLink<wire::TrainerGateway, wire::TrainerUp, wire::TrainerDown>;

// No server runs in this process, so every stream's channel is the last that holds gRPC's threads:
// letting go of it on one of them, even now and then, aborts the process.
TEST(DuplexLink, NobodyListens_TriesAgainManyTimes) {
  constexpr int kTries = 60;
  DuplexLinkOptions options;
  options.address = "unix:" + testing::TempDir() + "/nobody-listens.sock";
  options.deadlines.lease = base::Duration(100);
  std::mutex mutex;
  std::condition_variable changed;
  int ended = 0;
  Link link(options);
  link.Start({[] {}, [](wire::TrainerDown&) {}, [](wire::TrainerUp*) { return false; }, [] {},
              [&](const grpc::Status& status) {
                EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
                std::lock_guard lock(mutex);
                changed.notify_all();
                return ++ended < kTries;
              }});
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ended == kTries; });
}

}  // namespace
}  // namespace coxswain::rpc
