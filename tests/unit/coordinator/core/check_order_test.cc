// Which check is ordered when: at the submission, or later for a job that was accepted unchecked.
#include <gmock/gmock.h>

#include "tests/fakes/coordinator/core_world.h"

namespace coxswain::coordinator::core {
namespace {

using testing::HasSubstr;

class CheckOrder : public testing::Test {
 protected:
  CheckOrder() : world_(Settings{.default_store = "s3://ckpt"}) {}

  void ConnectWorker(const std::string& name = "a", int64_t memory = 0) {
    protocol::WorkerHello hello;
    hello.node = NodeId(name);
    hello.incarnation = Incarnation(1);
    hello.protocol_oldest = hello.protocol_newest = 1;
    hello.inventory.name = name;
    hello.inventory.cpu_slots = 4;
    hello.inventory.memory_bytes = memory;
    Take(world_.Decide(WorkerConnected{SessionId(++sessions_), hello}));
  }
  void Submit(uint32_t workers, bool local_store, const std::string& resume = "") {
    JobSubmitted event;
    event.resume_uri = resume;
    event.call = CallId(1);
    event.request.name = "digits";
    event.request.workers = workers;
    event.request.local_store = local_store;
    event.spec_yaml = "name: \"digits\"";
    Take(world_.Decide(event));
  }
  void Take(const Decisions& decisions) {
    for (const Action& action : decisions.send) {
      if (const auto* task = std::get_if<protocol::StartTask>(&action.order)) ordered_ = *task;
    }
  }

  fakes::CoreWorld world_;
  uint64_t sessions_ = 0;
  std::optional<protocol::StartTask> ordered_;
};

TEST_F(CheckOrder, AtTheSubmission_SaysSo) {
  ConnectWorker();
  Submit(1, false);
  ASSERT_TRUE(ordered_);
  EXPECT_EQ(ordered_->kind, protocol::TaskKind::kCheck);
  EXPECT_EQ(ordered_->argument,
            R"({"spec_yaml":"name: \"digits\"","multi_node":false,"at_submit":true})");
}

TEST_F(CheckOrder, OfAJobAcceptedUnchecked_DoesNot) {
  Submit(2, false);
  EXPECT_FALSE(ordered_) << "there is no worker yet";
  ConnectWorker();
  ASSERT_TRUE(ordered_);
  EXPECT_THAT(ordered_->argument, HasSubstr(R"("multi_node":true,"at_submit":false})"));
}

TEST_F(CheckOrder, LargestMachine_AndHowManyRanksOneMustHold) {
  ConnectWorker("a", 1000);
  ConnectWorker("b", 3000);
  Submit(3, false);
  ASSERT_TRUE(ordered_);
  EXPECT_THAT(ordered_->argument, HasSubstr(R"("machine":{"memory":3000,"ranks":2}})"));
}

TEST_F(CheckOrder, CheckpointToBeginWith_MayBeOnAnotherMachine) {
  ConnectWorker("a");
  Submit(1, false, "file:///c1");
  EXPECT_THAT(ordered_->argument,
              HasSubstr(R"("resume":{"candidates":[{"uri":"file:///c1","manifest_hash":""}],)"
                        R"("uncommitted":false,"elsewhere":false}})"));
  ConnectWorker("b");
  Submit(1, false, "file:///c2");
  EXPECT_THAT(ordered_->argument, HasSubstr(R"("elsewhere":true}})"));
  Submit(1, false, "s3://ckpt/c3");
  EXPECT_THAT(ordered_->argument, HasSubstr(R"("elsewhere":false}})"));
}

}  // namespace
}  // namespace coxswain::coordinator::core
