#include "coordinator/runtime/explanation.h"

#include <gmock/gmock.h>

namespace coxswain::coordinator::runtime {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'000'000'000;

JobView Job(core::JobState state, const std::string& queue) {
  JobView view;
  core::JobRow& row = view.record.job;
  row.id = core::JobId(7);
  row.request.name = "mnist";
  row.request.queue = queue;
  row.request.workers = 2;
  row.state = state;
  row.submitted = {kNow};
  return view;
}

JobView Running(const std::string& queue) {
  JobView view = Job(core::JobState::kRunning, queue);
  core::AttemptRow& attempt = view.record.attempts.emplace_back();
  attempt.number = core::Attempt(1);
  attempt.started = {kNow + 5};
  return view;
}

NodeView Node(const std::string& name, uint32_t free) {
  NodeView view;
  view.row.Edit().id = view.live.id = core::NodeId(name);
  view.row.Edit().name = name;
  view.row.Edit().inventory.cpu_slots = 4;
  view.live.reachable = true;
  view.live.cpu_slots_free = free;
  return view;
}

core::QueueSettings Queue(const std::string& name, int64_t cpus) {
  core::QueueSettings queue;
  queue.name = name;
  queue.quota = {.cpus = cpus, .gpus = std::nullopt};
  return queue;
}

core::SchedulingSettings TwoQueues(core::PolicyName policy) {
  core::SchedulingSettings settings;
  settings.policy = policy;
  settings.queues = {Queue("a", 1), Queue("b", 3)};
  settings.default_queue = "b";
  return settings;
}

QueuesView ViewOf(const core::SchedulingSettings& settings, int64_t held_of_a) {
  QueuesView view;
  for (const core::QueueSettings& queue : settings.queues) {
    view.queues.emplace_back().settings = queue;
  }
  view.queues[0].held.cpus = held_of_a;
  return view;
}

std::vector<std::string> Names(const std::vector<NodeRoom>& rooms) {
  std::vector<std::string> names;
  for (const NodeRoom& room : rooms) names.push_back(room.node.row->name);
  return names;
}

TEST(Explain, WaitingJob_SeesWhatEachNodeHas) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  JobView job = Job(core::JobState::kPending, "a");
  job.live.reason = "needs 2 ranks; 1 is free";
  NodeView away = Node("away", 4);
  away.live.reachable = false;
  Explanation it =
      Explain(job, ViewOf(settings, 0), {Node("full", 0), away, Node("free", 1)}, settings);
  EXPECT_EQ(it.since.us, kNow);
  EXPECT_THAT(it.reasons, ElementsAre("needs 2 ranks", "1 is free"));
  EXPECT_THAT(Names(it.nodes), ElementsAre("free", "away", "full"));
  EXPECT_EQ(it.nodes[0].ranks, 1u);
  EXPECT_EQ(it.nodes[1].why_not, "it is unreachable");
  EXPECT_EQ(it.nodes[2].why_not, "a rank needs 1 CPU slot, 0 of 4 free");
  EXPECT_THAT(it.let_go, IsEmpty());
}

TEST(Explain, JobWithinItsQuota_DoesNotYieldToOneBeyondIt) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kPriority);
  Explanation it = Explain(Running("a"), ViewOf(settings, 1), {Node("w", 4)}, settings);
  EXPECT_THAT(
      it.let_go.front(),
      HasSubstr("queue a with a priority above 0, unless the queue would go beyond its quota "
                "of 1 CPU slot by it"));
}

TEST(Explain, RoomThatIsKept_IsToldWithForWhom) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  JobView job = Job(core::JobState::kPending, "a");
  job.live.kept_for = "j42 (bigx)";
  job.live.kept_on = {core::NodeId("w3")};
  Explanation it = Explain(job, ViewOf(settings, 0), {Node("w3", 4), Node("w4", 4)}, settings);
  EXPECT_THAT(Names(it.nodes), ElementsAre("w4", "w3"));
  EXPECT_EQ(it.nodes[1].ranks, 0u);
  EXPECT_EQ(it.nodes[1].why_not, "kept for j42 (bigx)");
}

TEST(Explain, Reasons_AreNotCutInsideBrackets) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  JobView job = Job(core::JobState::kPending, "a");
  job.live.reason =
      "node a unreachable; no other place for it (needs (2; 3); free: 1): waiting; end";
  EXPECT_THAT(Explain(job, ViewOf(settings, 0), {}, settings).reasons,
              ElementsAre("node a unreachable",
                          "no other place for it (needs (2; 3); free: 1): waiting", "end"));
  job.live.reason = "a stray ) here; and there";
  EXPECT_THAT(Explain(job, ViewOf(settings, 0), {}, settings).reasons,
              ElementsAre("a stray ) here", "and there"));
}

TEST(Explain, NodesWithoutRoom_AreToldTogether_TheMostFirst) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  std::vector<NodeView> nodes = {Node("full", 0), Node("free", 2)};
  for (int i = 11; i >= 0; --i) {
    nodes.push_back(Node("away" + std::to_string(i), 4));
    nodes.back().live.reachable = false;
  }
  Explanation it =
      Explain(Job(core::JobState::kPending, "a"), ViewOf(settings, 0), nodes, settings);
  ASSERT_EQ(it.no_room.size(), 2u);
  EXPECT_EQ(it.no_room[0].why_not, "it is unreachable");
  EXPECT_EQ(it.no_room[0].count, 12u);
  EXPECT_EQ(it.no_room[0].names.size(), 10u);
  EXPECT_EQ(it.no_room[0].names.front(), "away0") << "in order, whatever their ids";
  EXPECT_EQ(it.no_room[0].names.back(), "away9");
  EXPECT_THAT(it.no_room[1].names, ElementsAre("full"));
}

TEST(Explain, JobTiedToANode_HasRoomNowhereElse_AndIsToldWhatToDo) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  JobView job = Job(core::JobState::kPending, "a");
  job.live.tied_to = core::NodeId("home");
  job.live.unseen = {core::NodeId("blind")};
  std::vector<NodeView> nodes = {Node("home", 4), Node("other", 4), Node("blind", 4)};
  Explanation it = Explain(job, ViewOf(settings, 0), nodes, settings);
  EXPECT_THAT(Names(it.nodes), ElementsAre("home", "blind", "other"));
  EXPECT_EQ(it.nodes[0].ranks, 2u);
  EXPECT_EQ(it.nodes[1].why_not, "it does not see the job's file:// store");
  EXPECT_EQ(it.nodes[2].why_not, "the job's file:// checkpoints are known to be seen on home only");
  EXPECT_THAT(it.warnings, IsEmpty()) << "its node is there";
  nodes[0].row.Edit().draining = true;
  it = Explain(job, ViewOf(settings, 0), nodes, settings);
  EXPECT_THAT(it.warnings, ElementsAre(AllOf(HasSubstr("its checkpoints are on home only"),
                                             HasSubstr("s3://"), HasSubstr("submit it again"))));
}

TEST(Explain, HeldJob_SavesNothing_WhoeverTakesItsSlots) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kPriority);
  JobView job = Running("a");
  job.live.held = true;
  core::CheckpointRow& row = job.record.last_checkpoint.emplace();
  row.id = core::CheckpointId(3);
  row.step = 120;
  Explanation it = Explain(job, ViewOf(settings, 0), {}, settings);
  EXPECT_THAT(
      it.let_go,
      ElementsAre(
          AllOf(HasSubstr("first in its queue"), HasSubstr("as soon as there is room elsewhere")),
          AllOf(HasSubstr("goes on from c3 of step 120"), HasSubstr("nobody can ask it to save"))));
}

TEST(Explain, RunningJob_TellsWhereItIs_AndWhoMayTakeItsSlots) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kPriority);
  NodeView here = Node("here", 2);
  here.live.jobs = {core::JobId(7)};
  here.row.Edit().draining = true;
  here.row.Edit().drain_by = {kNow};
  Explanation it = Explain(Running("a"), ViewOf(settings, 2), {Node("other", 4), here}, settings);
  EXPECT_EQ(it.since.us, kNow + 5);
  EXPECT_THAT(Names(it.nodes), ElementsAre("here"));
  EXPECT_THAT(it.let_go, ElementsAre(HasSubstr("queue a holds 1 CPU slot more than its quota"),
                                     HasSubstr("queue a with a priority above 0"),
                                     HasSubstr("here has to be empty by"),
                                     HasSubstr("it saves, lets go of its slots")));
}

TEST(Explain, Las_TellsAfterHowLong) {
  core::SchedulingSettings settings = TwoQueues(core::PolicyName::kLas);
  settings.las_threshold = base::seconds(36'000);
  Explanation it = Explain(Running("a"), ViewOf(settings, 1), {}, settings);
  EXPECT_THAT(it.let_go.front(), HasSubstr("once this one has had 10 h of time on its slots"));
}

TEST(Explain, RunningJobWithinItsQuota_UnderFifo_KeepsItsSlots) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  Explanation it = Explain(Running("a"), ViewOf(settings, 1), {}, settings);
  EXPECT_THAT(it.let_go, ElementsAre(HasSubstr("nobody")));
}

TEST(Explain, JobOfAQueueThatIsGone_CountsAsTheDefaultOnes) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  Explanation it = Explain(Job(core::JobState::kPending, "old"), ViewOf(settings, 0), {}, settings);
  EXPECT_THAT(it.warnings, ElementsAre(AllOf(HasSubstr("queue old is no longer configured"),
                                             HasSubstr("counts as one of b"))));
  ASSERT_EQ(it.queues.size(), 1u);
  EXPECT_EQ(it.queues[0].settings.name, "b");
}

TEST(Explain, EndedJob_HasNoNodes) {
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kFifo);
  JobView job = Job(core::JobState::kFailed, "a");
  job.record.job.ended = {kNow + 9};
  job.record.job.reason = "rank 0 crashed";
  Explanation it = Explain(job, ViewOf(settings, 0), {Node("n", 4)}, settings);
  EXPECT_EQ(it.since.us, kNow + 9);
  EXPECT_THAT(it.reasons, ElementsAre("rank 0 crashed"));
  EXPECT_THAT(it.nodes, IsEmpty());
}

TEST(Explain, RunningJobWithARange_TellsWhyItsSizeStays) {
  JobView job = Running("a");
  job.live.size_reason = "2 of 1..8 ranks: no slots are free for more";
  const core::SchedulingSettings settings = TwoQueues(core::PolicyName::kElastic);
  EXPECT_THAT(Explain(job, ViewOf(settings, 0), {}, settings).reasons,
              ElementsAre(job.live.size_reason));
}

TEST(QueueWarnings, QuotasThatTheFleetLacks_AndQueuesThatAreGone) {
  QueuesView view = ViewOf(TwoQueues(core::PolicyName::kFifo), 0);
  EXPECT_THAT(QueueWarnings(view.queues, {}), IsEmpty()) << "no fleet yet";
  EXPECT_THAT(QueueWarnings(view.queues, {Node("n", 4)}), IsEmpty());
  view.queues[0].settings.quota.cpus = 2;
  view.queues[1].strays["old"] = 2;
  EXPECT_THAT(
      QueueWarnings(view.queues, {Node("n", 4)}),
      ElementsAre(HasSubstr("the quotas sum up to 5 CPU slots, the fleet has 4"),
                  "2 jobs of queue old, which is no longer configured, count as those of b"));
}

TEST(QueueWarnings, LimitsThatAreNone_OrAboveThoseOfTheQueueAbove) {
  QueuesView view = ViewOf(TwoQueues(core::PolicyName::kFifo), 0);
  view.queues[0].settings.limit.gpus = 0;
  view.queues[0].settings.user_jobs = 2;
  view.queues[1].settings.parent = view.queues[0].settings.name;
  view.queues[1].settings.user_jobs = 3;
  EXPECT_THAT(
      QueueWarnings(view.queues, {Node("n", 4)}),
      ElementsAre("the limit of queue a is 0 GPUs: no job that needs them can start in it",
                  "the limit of a user of queue b is 3 jobs, that of a above it 2: the lesser one "
                  "holds"));
}

TEST(QueueWarnings, NodesThatAreGone_KeepNoQuota) {
  const QueuesView view = ViewOf(TwoQueues(core::PolicyName::kFifo), 0);
  NodeView gone = Node("gone", 4);
  gone.live.reachable = false;
  EXPECT_THAT(QueueWarnings(view.queues, {Node("n", 4), gone}), IsEmpty());
  EXPECT_THAT(QueueWarnings(view.queues, {gone}), IsEmpty()) << "none has connected yet";
  NodeView small = Node("small", 3);
  small.row.Edit().inventory.cpu_slots = 3;
  EXPECT_THAT(QueueWarnings(view.queues, {small, gone}),
              ElementsAre("the quotas sum up to 4 CPU slots, the fleet has 3, without 1 node not "
                          "connected: not all of them can be kept at once"));
}

}  // namespace
}  // namespace coxswain::coordinator::runtime
