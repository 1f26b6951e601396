// Messages are filled by reflection with values that are no defaults, so that a field forgotten in
// either direction shows as a difference.
#include "common/rpc/convert.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <set>

#include "common/base/rng.h"
#include "common/rpc/channel.h"
#include "coxswain/internal/v1/internal.pb.h"

namespace coxswain::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

// Fields whose value is an enumeration's number.
bool IsEnumNumber(const FieldDescriptor& field) {
  return field.name() == "phase" || field.name() == "state" || field.name() == "kind";
}

void Fill(Message* message, uint64_t* counter);

void FillField(Message* message, const FieldDescriptor* field, uint64_t* counter) {
  const auto* reflection = message->GetReflection();
  uint64_t n = ++*counter;
  if (field->is_map()) {
    for (int i = 0; i < 2; ++i) Fill(reflection->AddMessage(message, field), counter);
    return;
  }
  if (field->is_repeated()) {
    for (int i = 0; i < 2; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Fill(reflection->AddMessage(message, field), counter);
      } else {
        reflection->AddString(message, field, "text " + std::to_string(++*counter));
      }
    }
    return;
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Fill(reflection->MutableMessage(message, field), counter);
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->SetString(message, field, "text " + std::to_string(n));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(message, field, true);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->SetDouble(message, field, 0.5 + static_cast<double>(n));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->SetInt32(message, field, static_cast<int32_t>(n));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->SetInt64(message, field, static_cast<int64_t>(n));
    case FieldDescriptor::CPPTYPE_UINT32:
      if (field->name() == "world_size") n += 1'000'000;  // above any rank
      return reflection->SetUInt32(message, field, IsEnumNumber(*field) ? 1 : n);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection->SetUInt64(message, field, (1ull << 40) + n);
    default:
      FAIL() << "no filler for " << field->full_name();
  }
}

// How messages travel together (SendQueue), and no part of one.
bool IsOfTheStream(const FieldDescriptor& field) {
  return field.name() == "more" || field.name() == "takes_several";
}

// Every field but those of a oneof, of which only `choice` (the first, when null) is set.
void FillChoosing(Message* message, const FieldDescriptor* choice, uint64_t* counter) {
  const auto* descriptor = message->GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    const auto* oneof = field->containing_oneof();
    if (IsOfTheStream(*field)) continue;
    if (oneof != nullptr && field != (choice != nullptr ? choice : oneof->field(0))) continue;
    FillField(message, field, counter);
  }
}

void Fill(Message* message, uint64_t* counter) { FillChoosing(message, nullptr, counter); }

absl::Status RoundTrip(const wire::WorkerOrder& in, wire::WorkerOrder* out) {
  protocol::WorkerOrder order;
  base::Term term;
  if (absl::Status s = FromProto(in, &term, &order); !s.ok()) return s;
  ToProto(order, term, out);
  return absl::OkStatus();
}
template <class Struct, class Wire>
absl::Status RoundTripOf(const Wire& in, Wire* out) {
  Struct value;
  if (absl::Status s = FromProto(in, &value); !s.ok()) return s;
  ToProto(value, out);
  return absl::OkStatus();
}
absl::Status RoundTrip(const wire::WorkerReport& in, wire::WorkerReport* out) {
  return RoundTripOf<protocol::WorkerReport>(in, out);
}
absl::Status RoundTrip(const wire::TrainerOrder& in, wire::TrainerOrder* out) {
  return RoundTripOf<protocol::TrainerOrder>(in, out);
}
absl::Status RoundTrip(const wire::TrainerReport& in, wire::TrainerReport* out) {
  return RoundTripOf<protocol::TrainerReport>(in, out);
}

template <class Wire>
class ConvertBody : public testing::Test {};
using Bodies =
    testing::Types<wire::WorkerOrder, wire::WorkerReport, wire::TrainerOrder, wire::TrainerReport>;
TYPED_TEST_SUITE(ConvertBody, Bodies);

TYPED_TEST(ConvertBody, EveryAlternativeFilled_ComesBackEqual) {
  const auto* oneof = TypeParam::descriptor()->oneof_decl(0);
  for (int i = 0; i < oneof->field_count(); ++i) {
    TypeParam in, out;
    uint64_t counter = 0;
    FillChoosing(&in, oneof->field(i), &counter);
    ASSERT_TRUE(RoundTrip(in, &out).ok()) << in.DebugString();
    EXPECT_TRUE(MessageDifferencer::Equals(in, out)) << in.DebugString() << out.DebugString();
  }
}

TEST(Convert, OrdersAndReportsThroughTheWorker_ComeBackEqual) {
  protocol::RankKey key{base::JobId(3), base::Attempt(2), 1};
  protocol::WorkerOrder order = protocol::ToTrainer{
      key, base::Incarnation(9), protocol::CheckpointRefused{{}, 4, {}, "stale"}};
  wire::WorkerOrder proto;
  ToProto(order, base::Term(7), &proto);
  protocol::WorkerOrder back;
  base::Term term;
  ASSERT_TRUE(FromProto(proto, &term, &back).ok());
  EXPECT_EQ(term, base::Term(7));
  const auto& to = std::get<protocol::ToTrainer>(back);
  EXPECT_EQ(to.key, key);
  EXPECT_EQ(std::get<protocol::CheckpointRefused>(to.order).reason, "stale");
}

// Default values of every alternative of a variant: each sets a different member of the oneof, and
// there are as many of one as of the other.
template <class Variant, class Wire, size_t... I>
std::set<int> CasesOf(std::index_sequence<I...>) {
  std::set<int> cases;
  auto convert = [&](const Variant& value) {
    Wire proto;
    if constexpr (std::is_same_v<Wire, wire::WorkerOrder>) {
      ToProto(value, base::Term(1), &proto);
    } else {
      ToProto(value, &proto);
    }
    cases.insert(proto.body_case());
  };
  (convert(Variant(std::in_place_index<I>)), ...);
  return cases;
}
template <class Variant, class Wire>
void ExpectOneCaseEach() {
  constexpr size_t kAlternatives = std::variant_size_v<Variant>;
  std::set<int> cases = CasesOf<Variant, Wire>(std::make_index_sequence<kAlternatives>());
  cases.erase(0);
  EXPECT_EQ(cases.size(), kAlternatives);
  EXPECT_EQ(static_cast<size_t>(Wire::descriptor()->oneof_decl(0)->field_count()), kAlternatives);
}

TEST(Convert, EveryVariantAlternative_HasItsOwnMember) {
  ExpectOneCaseEach<protocol::WorkerOrder, wire::WorkerOrder>();
  ExpectOneCaseEach<protocol::WorkerReport, wire::WorkerReport>();
  ExpectOneCaseEach<protocol::TrainerOrder, wire::TrainerOrder>();
  ExpectOneCaseEach<protocol::TrainerReport, wire::TrainerReport>();
}

TEST(Convert, EveryPhaseAndStateNumber_IsKeptAndTheNextRefused) {
  for (uint32_t phase = 0; phase <= static_cast<uint32_t>(protocol::Phase::kProgram) + 1; ++phase) {
    wire::TrainerReport in;
    in.mutable_progress()->set_phase(phase);
    protocol::TrainerReport out;
    bool known = phase <= static_cast<uint32_t>(protocol::Phase::kProgram);
    EXPECT_EQ(FromProto(in, &out).ok(), known) << phase;
  }
  wire::StartTask task;
  task.set_task(1);
  task.set_kind(3);
  protocol::StartTask out;
  EXPECT_EQ(FromProto(task, &out).message(), "StartTask.kind is 3, expected 0 to 2");
}

TEST(Convert, EmptyBody_IsRefusedByName) {
  protocol::WorkerReport report;
  EXPECT_EQ(FromProto(wire::WorkerReport(), &report).message(),
            "WorkerReport.body is empty or of a kind that this version does not know");
  wire::WorkerReport nested;
  nested.mutable_from_trainer()->mutable_key()->set_job(1);
  nested.mutable_from_trainer()->mutable_key()->set_attempt(1);
  nested.mutable_from_trainer()->set_incarnation(5);
  EXPECT_EQ(FromProto(nested, &report).message(), "FromTrainer.report is missing");
  nested.mutable_from_trainer()->mutable_report();
  EXPECT_EQ(FromProto(nested, &report).message(),
            "TrainerReport.body is empty or of a kind that this version does not know");
}

TEST(Convert, MissingParts_AreNamed) {
  wire::WorkerReport in;
  protocol::WorkerReport report;
  in.mutable_rank_started()->set_pid(3);
  EXPECT_EQ(FromProto(in, &report).message(), "RankStarted.key is missing");
  in.mutable_rank_started()->mutable_key();
  EXPECT_EQ(FromProto(in, &report).message(), "RankKey.job is 0, expected at least 1");
  in.mutable_rank_started()->mutable_key()->set_job(1);
  in.mutable_rank_started()->mutable_key()->set_attempt(1);
  EXPECT_EQ(FromProto(in, &report).message(), "RankStarted.incarnation is 0, expected at least 1");
  wire::WorkerOrder order;
  order.mutable_stop_rank()->mutable_key()->set_job(1);
  order.mutable_stop_rank()->mutable_key()->set_attempt(1);
  order.mutable_stop_rank()->set_grace_ms(-5);
  protocol::WorkerOrder out;
  base::Term term;
  EXPECT_FALSE(FromProto(order, &term, &out).ok());
}

// A proto3 receiver drops a whole message over one bad byte in a string: none may leave.
TEST(Convert, LogBytesThatAreNoText_StillArrive) {
  protocol::RankExited exited{{base::JobId(1), base::Attempt(1), 0}, base::Incarnation(2), {}};
  exited.exit.last_log = "caf\xe9 \xff\xfe ok \xe2\x82\xac \xed\xa0\x80";
  wire::WorkerReport proto, parsed;
  ToProto(protocol::WorkerReport(exited), &proto);
  ASSERT_TRUE(parsed.ParseFromString(proto.SerializeAsString()));
  EXPECT_EQ(parsed.rank_exited().exit().last_log(),
            "caf\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd ok \xe2\x82\xac "
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Convert, Utf8_KeepsEveryValidSequence) {
  std::string valid =
      "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
      "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  EXPECT_EQ(Utf8(valid), valid);
  for (const char* bad : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_NE(Utf8(bad), bad);
  }
}

// Valid messages with bytes changed, cut and added: a conversion refuses or its result is stable.
TYPED_TEST(ConvertBody, DamagedBytes_AreRefusedOrStable) {
  QuietLibraries();  // protobuf prints a line for each damaged string
  base::Rng rng(20261121);
  const auto* oneof = TypeParam::descriptor()->oneof_decl(0);
  int read = 0, refused = 0;
  for (int round = 0; round < 400; ++round) {
    TypeParam in;
    uint64_t counter = round;
    FillChoosing(&in, oneof->field(static_cast<int>(rng.Below(oneof->field_count()))), &counter);
    std::string bytes = in.SerializeAsString();
    for (uint64_t hit = 1 + rng.Below(4); hit > 0 && !bytes.empty(); --hit) {
      switch (rng.Below(3)) {
        case 0:
          bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Next());
          break;
        case 1:
          bytes.resize(rng.Below(bytes.size() + 1));
          break;
        default:
          bytes.insert(rng.Below(bytes.size() + 1), 1, static_cast<char>(rng.Next()));
      }
    }
    TypeParam damaged, once, twice;
    if (!damaged.ParseFromString(bytes) || !RoundTrip(damaged, &once).ok()) {
      ++refused;
      continue;
    }
    ++read;
    ASSERT_TRUE(RoundTrip(once, &twice).ok()) << once.DebugString();
    EXPECT_EQ(once.DebugString(), twice.DebugString());
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace coxswain::rpc
