#include "coordinator/record/segment.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_split.h>

#include <cstring>

#include "common/base/version.h"
#include "coordinator/record/codec.h"

namespace coxswain::coordinator::record {
namespace {

constexpr char kMagic[] = "coxswain-recording";
constexpr char kBeginning = 'B', kTurn = 'T', kEnding = 'E';
constexpr size_t kLongestFirstLine = 200;
constexpr size_t kHead = sizeof(uint32_t) + sizeof(uint64_t);

uint64_t HashOf(std::string_view bytes) {
  Hasher hash;
  hash.Number(bytes.size());
  hash.Bytes(bytes);
  return hash.value();
}

template <class Fill>
std::string Frame(char type, const Fill& fill) {
  std::string frame(kHead, '\0');
  frame.push_back(type);
  Writer out(&frame);
  fill(out);
  auto size = static_cast<uint32_t>(frame.size() - kHead);
  uint64_t hash = HashOf(std::string_view(frame).substr(kHead));
  std::memcpy(frame.data(), &size, sizeof size);
  std::memcpy(frame.data() + sizeof size, &hash, sizeof hash);
  return frame;
}

// Hashes what types are made of: a field added, removed or moved to another kind of value changes
// it.
class LayoutHasher {
 public:
  template <class T>
  void Type() {
    if (depth_ > 24) return;  // no recorded type holds itself; a guard all the same
    ++depth_;
    if constexpr (kIs<T, std::optional> || kIsList<T> || kIsSet<T>) {
      hash_.Number(1 + (kIs<T, std::optional> ? 0 : 1));
      Type<typename T::value_type>();
    } else if constexpr (kIs<T, std::map>) {
      hash_.Number(3);
      Type<typename T::key_type>();
      Type<typename T::mapped_type>();
    } else if constexpr (kIs<T, std::variant>) {
      hash_.Number(4 + std::variant_size_v<T> * 16);
      Alternatives<T>(std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (kIs<T, core::TimerTable>) {
      Type<std::decay_t<decltype(std::declval<T>().all())>>();
    } else if constexpr (std::is_same_v<T, core::PlacementView>) {
      Type<core::PlacementView::Nodes>();
    } else if constexpr (std::is_aggregate_v<T>) {
      hash_.Number(5 + kFields<T> * 16);
      T object{};
      VisitFields(object, [&](auto& field) { Type<std::decay_t<decltype(field)>>(); });
    } else {
      hash_.Number(Leaf<T>());
    }
    --depth_;
  }
  uint64_t value() const { return hash_.value(); }

 private:
  template <class T>
  static constexpr uint64_t Leaf() {
    if constexpr (std::is_same_v<T, std::string> || kIs<T, base::Name>) return 6;
    if constexpr (std::is_same_v<T, double>) return 7;
    if constexpr (std::is_same_v<T, base::Duration>) return 8;
    if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? 9 : 10;
    if constexpr (std::is_enum_v<T>) return 11;
    return 12;
  }
  template <class T, size_t... I>
  void Alternatives(std::index_sequence<I...>) {
    (Type<std::variant_alternative_t<I, T>>(), ...);
  }

  Hasher hash_;
  int depth_ = 0;
};

template <class T>
absl::Status TakeWhole(Reader& in, size_t at, T* value) {
  *value = T();
  Take(in, value);
  if (in.ok() && in.AtEnd()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the record at byte ", at, " is whole, and does not hold what it should"));
}

std::string Count(uint64_t count, const char* what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

template <class Variant, class... Names>
std::string NameOf(const Variant& body, Names... names) {
  static_assert(sizeof...(Names) == std::variant_size_v<Variant>, "a name for each kind");
  const char* const all[] = {names...};
  return all[body.index()];
}

}  // namespace

Verdict VerdictOf(const core::Decisions& decisions) {
  Hasher hash;
  Put(hash, decisions);
  return {hash.value(), decisions.persist.size(), decisions.send.size(), decisions.replies.size(),
          decisions.why.size()};
}

std::string ToString(const Verdict& verdict) {
  std::string replies =
      verdict.replies == 1 ? "1 reply" : absl::StrCat(verdict.replies, " replies");
  return absl::StrCat(Count(verdict.changes, "change"), ", ", Count(verdict.orders, "order"), ", ",
                      replies, ", ", Count(verdict.reasons, "reason"));
}

std::string KindOf(const core::EventBody& body) {
  std::string kind = NameOf(body, "JobSubmitted", "CancelRequested", "DrainRequested",
                            "ForgetRequested", "WorkerConnected", "WorkerDisconnected",
                            "WorkerReported", "TimePassed", "RetentionDue");
  const auto* reported = std::get_if<core::WorkerReported>(&body);
  if (reported == nullptr) return kind;
  kind += ": " + NameOf(reported->report, "WorkerHello", "Heartbeat", "RankStarted", "RankExited",
                        "FromTrainer", "MetricBatch", "LogData", "TaskEnded", "Leaving");
  const auto* trainer = std::get_if<protocol::FromTrainer>(&reported->report);
  if (trainer == nullptr) return kind;
  return kind + ": " +
         NameOf(trainer->report, "TrainerReady", "GenerationFormed", "TrainerProgress",
                "OpenCheckpoint", "ShardStored", "ManifestWritten", "CheckpointFailed",
                "CollectiveFailed", "TrainingFinished", "TrainingFailed");
}

uint64_t Layout() {
  static const uint64_t kLayout = [] {
    LayoutHasher hash;
    hash.Type<Beginning>();
    hash.Type<TurnRecord>();
    hash.Type<Ending>();
    hash.Type<core::Decisions>();
    return hash.value();
  }();
  return kLayout;
}

std::string FirstLine() {
  return absl::StrFormat("%s 1 %s %016x\n", kMagic, base::kVersion, Layout());
}

std::string Encode(const Beginning& beginning) {
  return Frame(kBeginning, [&](Writer& out) { Put(out, beginning); });
}

std::string Encode(const core::Event& event, const core::Decisions& decisions) {
  return Frame(kTurn, [&](Writer& out) { Put(out, event), Put(out, VerdictOf(decisions)); });
}

std::string Encode(const Ending& ending) {
  return Frame(kEnding, [&](Writer& out) { Put(out, ending); });
}

absl::StatusOr<SegmentReader> SegmentReader::Open(std::string_view bytes) {
  size_t end = bytes.find('\n');
  std::vector<std::string> words =
      absl::StrSplit(std::string(bytes.substr(0, std::min(end, kLongestFirstLine))), ' ');
  if (end == std::string_view::npos || words.size() != 4 || words[0] != kMagic) {
    return absl::InvalidArgumentError("it is not a recording of a coordinator");
  }
  std::string ours = FirstLine();
  if (bytes.substr(0, end + 1) != ours) {
    bool same_release = words[2] == base::kVersion;
    return absl::InvalidArgumentError(absl::StrCat(
        "it was recorded by ", same_release ? "another build of " : "", "cox-coordinator ",
        words[2], " (layout ", words[3], "), this is ", base::kVersion, " (layout ",
        absl::StrFormat("%016x", Layout()), "): replay it with the cox-sim built with it"));
  }
  return SegmentReader(bytes, end + 1);
}

absl::StatusOr<SegmentReader::Next> SegmentReader::Read(Beginning* beginning, TurnRecord* turn,
                                                        Ending* ending) {
  std::string_view left = bytes_.substr(at_);
  if (left.empty()) return Next::kNothing;
  uint32_t size = 0;
  uint64_t hash = 0;
  if (left.size() >= kHead) {
    std::memcpy(&size, left.data(), sizeof size);
    std::memcpy(&hash, left.data() + sizeof size, sizeof hash);
  }
  if (left.size() < kHead || left.size() - kHead < size) {
    return absl::OutOfRangeError(absl::StrCat("the record at byte ", at_, " is cut off"));
  }
  std::string_view payload = left.substr(kHead, size);
  if (payload.empty() || HashOf(payload) != hash) {
    return absl::DataLossError(
        absl::StrCat("the record at byte ", at_, " is not what was written (its hash differs)"));
  }
  Reader in(payload.substr(1));
  absl::Status status;
  Next next = Next::kNothing;
  switch (payload.front()) {
    case kBeginning:
      next = Next::kBeginning;
      status = TakeWhole(in, at_, beginning);
      break;
    case kTurn:
      next = Next::kTurn;
      status = TakeWhole(in, at_, turn);
      break;
    case kEnding:
      next = Next::kEnding;
      status = TakeWhole(in, at_, ending);
      break;
    default:
      status =
          absl::DataLossError(absl::StrCat("the record at byte ", at_, " is of no known type"));
  }
  if (!status.ok()) return status;
  at_ += kHead + size;
  return next;
}

}  // namespace coxswain::coordinator::record
