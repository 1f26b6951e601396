#include "coordinator/runtime/log_relay.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/runtime/fake_session.h"

namespace coxswain::coordinator::runtime {
namespace {

using testing::HasSubstr;

TEST(LogRelayTest, AnswersGoToTheirReader_UntilTheStreamEnds) {
  SessionTable sessions;
  auto session = std::make_shared<FakeSession>();
  core::SessionId id = sessions.Add(session, core::NodeId("a"));
  sessions.Welcome(id);
  LogRelay relay(&sessions);
  std::vector<std::string> got;
  absl::Status end;
  auto reading =
      relay.Read(core::Term(1), core::NodeId("a"), {}, [&](absl::StatusOr<protocol::LogData> data) {
        data.ok() ? got.push_back(data->data) : void(end = data.status());
      });
  protocol::LogData data;
  data.request = session->Wait<protocol::ReadLog>().request;
  data.data = "line";
  relay.OnData(id, data);
  relay.OnData(core::SessionId(99), data);  // another stream's answer
  relay.OnDisconnected(id);
  relay.OnData(id, data);
  EXPECT_THAT(got, testing::ElementsAre("line"));
  EXPECT_TRUE(absl::IsUnavailable(end));
  absl::Status refused;
  sessions.Remove(id);
  auto none = relay.Read(core::Term(1), core::NodeId("a"), {},
                         [&](absl::StatusOr<protocol::LogData> d) { refused = d.status(); });
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cannot be reached"));
}

TEST(LogRelayTest, EndOfTheSubscription_CancelsTheRead) {
  SessionTable sessions;
  auto session = std::make_shared<FakeSession>();
  core::SessionId id = sessions.Add(session, core::NodeId("a"));
  sessions.Welcome(id);
  LogRelay relay(&sessions);
  int calls = 0;
  auto reading = relay.Read(core::Term(1), core::NodeId("a"), {}, [&](auto) { ++calls; });
  protocol::LogData data;
  data.request = session->Wait<protocol::ReadLog>().request;
  reading.reset();
  relay.OnData(id, data);
  EXPECT_EQ(calls, 0);
  auto cancel = std::get<protocol::ReadLog>(session->orders().back());
  EXPECT_TRUE(cancel.cancel);
  EXPECT_EQ(cancel.request, data.request);
}

}  // namespace
}  // namespace coxswain::coordinator::runtime
