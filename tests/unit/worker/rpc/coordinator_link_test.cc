// The worker's link against a coordinator's gateway that only records.
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include "common/rpc/convert.h"
#include "common/rpc/duplex_server.h"
#include "common/rpc/send_queue.h"
#include "common/rpc/server.h"
#include "common/rpc/token.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "tests/unit/common/rpc/arrivals.h"
#include "worker/runtime/coordinator_link.h"

namespace coxswain::worker {
namespace {

namespace wire = ::coxswain::internal::v1;
using test::Arrivals;
using Call = rpc::DuplexServer<wire::WorkerReport, wire::WorkerOrder>;

class Gateway final : public wire::WorkerGateway::CallbackService {
 public:
  Call* Connect(grpc::CallbackServerContext* context) override {
    if (grpc::Status s = rpc::CheckToken(*context, "secret"); !s.ok()) return Call::Refuse(s);
    auto call = Call::Make({[this](wire::WorkerReport& in) {
                              std::lock_guard pause(reading);
                              reports.Add(in);
                            },
                            [this](wire::WorkerOrder* out) {
                              std::lock_guard lock(mutex_);
                              return queue_.Pop(out);
                            },
                            [] {}, [this] { ended.Add(1); }});
    {
      std::lock_guard lock(mutex_);
      call_ = call;
    }
    call->Begin();
    return call.get();
  }
  void Send(const protocol::WorkerOrder& order, base::Term term) {
    wire::WorkerOrder message;
    rpc::ToProto(order, term, &message);
    SendRaw(message);
  }
  void SendRaw(const wire::WorkerOrder& message) {
    std::shared_ptr<Call> call = Current();
    {
      std::lock_guard lock(mutex_);
      queue_.Push(rpc::SendQueue<wire::WorkerOrder>::Lane::kUrgent, message);
    }
    call->Kick();
  }
  std::shared_ptr<Call> Current() {
    std::lock_guard lock(mutex_);
    return call_;
  }
  std::mutex reading;  // held by a test: the coordinator takes nothing
  Arrivals<wire::WorkerReport> reports;
  Arrivals<int> ended;

 private:
  std::mutex mutex_;
  std::shared_ptr<Call> call_;
  rpc::SendQueue<wire::WorkerOrder> queue_;
};

class CoordinatorLinkTest : public testing::Test {
 protected:
  CoordinatorLinkTest() { Listen("127.0.0.1:0"); }
  ~CoordinatorLinkTest() override {
    link_.reset();
    server_.reset();
  }
  void Listen(const std::string& address) {
    auto server = rpc::Server::Start(
        {.address = address, .services = {{"", &gateway_}}, .token = "", .reflection = false});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    address_ = server_->address();
  }
  void Begin(const std::string& token = "secret") {
    CoordinatorSettings settings{address_, token, {base::milliseconds(200)}};
    link_ = MakeCoordinatorLink(settings);
    link_->Start({[this] { connected_.Add(1); },
                  [this](base::Term term, protocol::WorkerOrder order) {
                    terms_.Add(term);
                    orders_.Add(std::move(order));
                  },
                  [this](const LinkLoss& loss) { losses_.Add(loss); },
                  [this] { drained_.Add(1); }});
  }
  Gateway gateway_;
  std::unique_ptr<rpc::Server> server_;
  std::string address_;
  std::unique_ptr<CoordinatorLink> link_;
  Arrivals<int> connected_, drained_;
  Arrivals<base::Term> terms_;
  Arrivals<protocol::WorkerOrder> orders_;
  Arrivals<LinkLoss> losses_;
};

protocol::WorkerHello Hello() {
  protocol::WorkerHello hello;
  hello.node = base::NodeId("node-a");
  hello.incarnation = base::Incarnation(3);
  return hello;
}

TEST_F(CoordinatorLinkTest, HelloAndOrders_GoBothWays) {
  Begin();
  connected_.Take();
  link_->Send(Hello());
  EXPECT_EQ(gateway_.reports.Take().hello().node(), "node-a");
  gateway_.Send(protocol::Welcome{base::ClusterId("c"), base::Term(4), base::seconds(5), ""},
                base::Term(4));
  EXPECT_EQ(terms_.Take(), base::Term(4));
  EXPECT_EQ(std::get<protocol::Welcome>(orders_.Take()).lease, base::seconds(5));
}

TEST_F(CoordinatorLinkTest, SeveralOrdersInOne_ComeOneAfterAnother) {
  Begin();
  connected_.Take();
  link_->Send(Hello());
  EXPECT_TRUE(gateway_.reports.Take().takes_several());
  wire::WorkerOrder together;
  rpc::ToProto(protocol::ForgetJob{base::JobId(1)}, base::Term(4), &together);
  for (uint64_t job : {2, 3}) {
    rpc::ToProto(protocol::ForgetJob{base::JobId(job)}, base::Term(4), together.add_more());
  }
  gateway_.SendRaw(together);
  for (uint64_t job : {1, 2, 3}) {
    EXPECT_EQ(std::get<protocol::ForgetJob>(orders_.Take()).job, base::JobId(job));
  }
}

TEST_F(CoordinatorLinkTest, WrongToken_SaysThatAnotherTryIsPointless) {
  Begin("wrong");
  LinkLoss loss = losses_.Take();
  EXPECT_TRUE(loss.token_refused);
  EXPECT_EQ(loss.reason.find(address_ + ": wrong token"), 0u) << loss.reason;
  EXPECT_EQ(connected_.size(), 0u);
}

TEST_F(CoordinatorLinkTest, CoordinatorGoneAndBack_ReconnectsAndBeginsWithAFreshQueue) {
  Begin();
  connected_.Take();
  link_->Send(Hello());
  gateway_.reports.Take();
  server_.reset();
  LinkLoss loss = losses_.Take();
  EXPECT_FALSE(loss.token_refused);
  while (loss.reason.find("Connection refused") == std::string::npos) loss = losses_.Take();
  EXPECT_EQ(loss.reason, address_ + ": Connection refused");
  link_->Send(protocol::Leaving{});  // nobody is there: dropped
  EXPECT_EQ(link_->QueuedBytes(), 0u);
  Listen(address_);
  connected_.Take();
  link_->Send(Hello());
  EXPECT_TRUE(gateway_.reports.Take().has_hello());
}

TEST_F(CoordinatorLinkTest, UnreadableOrder_EndsTheStreamWithAReason) {
  Begin();
  connected_.Take();
  gateway_.SendRaw(wire::WorkerOrder());
  EXPECT_NE(losses_.Take().reason.find("WorkerOrder.body is empty"), std::string::npos);
}

TEST_F(CoordinatorLinkTest, Reconnect_GivesTheStreamUpAndComesBack) {
  Begin();
  connected_.Take();
  link_->Reconnect("order of an older term");
  EXPECT_EQ(losses_.Take().reason, address_ + ": order of an older term");
  connected_.Take();
}

TEST_F(CoordinatorLinkTest, Stop_LetsTheLastReportArrive) {
  Begin();
  connected_.Take();
  link_->Send(Hello());
  link_->Send(protocol::Leaving{});
  link_->Stop(base::seconds(10));
  gateway_.reports.Take();
  EXPECT_TRUE(gateway_.reports.Take().has_leaving());
  gateway_.ended.Take();
  EXPECT_EQ(losses_.size(), 0u);
}

// The reader stands still while megabytes of log data wait: what is urgent goes before them.
TEST_F(CoordinatorLinkTest, SlowCoordinator_GetsExitsBeforeLogDataAndTellsWhenDrained) {
  Begin();
  connected_.Take();
  link_->Send(Hello());
  gateway_.reports.Take();
  protocol::LogData data;
  data.data.assign(64 << 10, 'x');
  size_t sent = 0, before = 0;
  {
    std::lock_guard pause(gateway_.reading);
    for (; link_->QueuedBytes() <= CoordinatorLink::kHighWater; ++sent) link_->Send(data);
    protocol::RankExited exited{{base::JobId(1), base::Attempt(1), 0}, base::Incarnation(2), {}};
    link_->Send(exited);
  }
  while (gateway_.reports.Take().has_log_data()) ++before;
  EXPECT_LT(before + CoordinatorLink::kHighWater / (64 << 10) - 8, sent);
  drained_.Take();
}

TEST(SendQueue, NewerNewsOfOneKind_ReplaceOlder) {
  using Queue = rpc::SendQueue<wire::RankKey>;
  Queue queue;
  wire::RankKey a, b, c, out;
  a.set_job(1);
  b.set_job(2);
  c.set_job(300);
  queue.Push(Queue::Lane::kBulk, b);
  queue.Push(Queue::Lane::kUrgent, a, 7);
  queue.Push(Queue::Lane::kUrgent, c, 7);
  EXPECT_EQ(queue.bytes(), b.ByteSizeLong() + c.ByteSizeLong());
  ASSERT_TRUE(queue.Pop(&out));
  EXPECT_EQ(out.job(), 300u);
  ASSERT_TRUE(queue.Pop(&out));
  EXPECT_EQ(out.job(), 2u);
  EXPECT_FALSE(queue.Pop(&out));
  EXPECT_EQ(queue.bytes(), 0u);
}

}  // namespace
}  // namespace coxswain::worker
