#include "sim/replay.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "coordinator/record/recorder.h"
#include "coordinator/record/segment.h"

namespace coxswain::sim {
namespace {

namespace core = coordinator::core;
namespace record = coordinator::record;
using record::SegmentReader;

volatile uint64_t turn_now = 0;

// A CHECK in the core ends the process: say at least in which turn.
void OnAbort(int) {
  char line[96];
  int n = std::snprintf(line, sizeof line, "turn %llu: the core failed a CHECK (above)\n",
                        static_cast<unsigned long long>(turn_now));
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(n));
  _exit(1);
}

std::string Utc(base::WallTime wall) {
  time_t seconds = static_cast<time_t>(wall.us / 1'000'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  std::string ms = std::to_string(1000 + wall.us / 1000 % 1000);
  return absl::StrCat(text, ".", ms.substr(1), " UTC");
}

// One recorded core.
class Rerun {
 public:
  absl::Status Begin(record::Beginning beginning) {
    result.begins = beginning.reason;
    result.term = beginning.image.rows.cluster.term;
    result.first = result.last = beginning.wall;
    core_.emplace(beginning.settings, std::move(beginning.image));
    if (core_->Digest() == beginning.digest) return absl::OkStatus();
    return absl::DataLossError("the state at its beginning is not the one that was recorded");
  }

  absl::Status Turn(const record::TurnRecord& turn) {
    if (!core_) return absl::DataLossError("it does not begin with a state");
    turn_now = ++result.turns;
    result.last = turn.event.wall;
    record::Verdict now = record::VerdictOf(core_->Decide(turn.event));
    if (now == turn.verdict) return absl::OkStatus();
    std::string counts = record::ToString(now);
    bool same_counts = counts == record::ToString(turn.verdict);
    result.difference = absl::StrCat(
        "turn ", result.turns, " differs (event ", turn.event.seq, ", ",
        record::KindOf(turn.event.body), ", ", Utc(turn.event.wall), "): recorded ",
        record::ToString(turn.verdict), "; now ", counts, same_counts ? ", of other content" : "");
    return absl::OkStatus();
  }

  absl::Status End(const record::Ending& ending) {
    if (!core_) return absl::DataLossError("it does not begin with a state");
    result.ends = ending.reason;
    if (ending.digest == 0 || ending.digest == core_->Digest()) return absl::OkStatus();
    result.difference = absl::StrCat("all ", result.turns,
                                     " turns agree, but the state after the last one differs");
    return absl::OkStatus();
  }

  ReplayResult result;

 private:
  std::optional<core::Coordinator> core_;
};

void PrintGood(const std::string& path, const ReplayResult& result, bool live) {
  std::string ends = !result.ends.empty() ? result.ends
                     : live ? "a running coordinator still writes it, this is the part until now"
                            : "its process had no time to close it";
  std::string text =
      absl::StrCat(path, ": ", result.turns, result.turns == 1 ? " turn" : " turns", ", term ",
                   result.term.value, ", ", Utc(result.first), " to ", Utc(result.last), " (",
                   result.begins, "; ", ends, "): all agree\n");
  std::fputs(text.c_str(), stdout);
}

// A coordinator that runs holds a lock on the file that it writes.
bool IsBeingWritten(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool locked = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(file);
  return locked;
}

int ReplayFile(const std::string& path) {
  auto unusable = [&](const std::string& why) {
    std::fprintf(stderr, "cox-sim: %s: %s\n", path.c_str(), why.c_str());
    return 2;
  };
  // Asked first: what is written after the reading belongs to the next replay.
  const bool live = IsBeingWritten(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) return unusable("cannot be read");
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  turn_now = 0;
  absl::StatusOr<ReplayResult> result = ReplaySegment(bytes);
  if (!result.ok()) return unusable(std::string(result.status().message()));
  if (!result->difference.empty()) {
    std::printf("%s: %s\n", path.c_str(), result->difference.c_str());
    return 1;
  }
  if (!result->cut.empty() && !live) {
    return unusable(absl::StrCat(result->cut, "; the ", result->turns, " turns before it agree"));
  }
  PrintGood(path, *result, live);
  return 0;
}

}  // namespace

absl::StatusOr<ReplayResult> ReplaySegment(std::string_view bytes) {
  absl::StatusOr<SegmentReader> reader = SegmentReader::Open(bytes);
  if (!reader.ok()) return reader.status();
  Rerun rerun;
  record::Beginning beginning;
  record::TurnRecord turn;
  record::Ending ending;
  while (rerun.result.difference.empty()) {
    absl::StatusOr<SegmentReader::Next> next = reader->Read(&beginning, &turn, &ending);
    if (absl::IsOutOfRange(next.status())) {
      rerun.result.cut = std::string(next.status().message());
      break;
    }
    if (!next.ok()) {
      return absl::DataLossError(absl::StrCat(std::string(next.status().message()), "; the ",
                                              rerun.result.turns, " turns before it agree"));
    }
    absl::Status status;
    if (*next == SegmentReader::Next::kNothing) break;
    if (*next == SegmentReader::Next::kBeginning) status = rerun.Begin(std::move(beginning));
    if (*next == SegmentReader::Next::kTurn) status = rerun.Turn(turn);
    if (*next == SegmentReader::Next::kEnding) status = rerun.End(ending);
    if (!status.ok()) return status;
  }
  return rerun.result;
}

int Replay(const std::vector<std::string>& paths) {
  signal(SIGABRT, OnAbort);
  std::vector<std::string> files;
  std::error_code told_by_open;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path, told_by_open)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found = record::FindRecordings(path);
    if (found.empty()) {
      std::fprintf(stderr, "cox-sim: %s: there is no recording (recording-*.rec) in it\n",
                   path.c_str());
      return 2;
    }
    files.insert(files.end(), found.begin(), found.end());
  }
  int worst = 0;
  for (const std::string& file : files) {
    const bool asked = std::find(paths.begin(), paths.end(), file) != paths.end();
    if (!asked && !std::filesystem::exists(file, told_by_open)) {
      std::printf("%s: gone, a running coordinator has made room for newer ones\n", file.c_str());
      continue;
    }
    int code = ReplayFile(file);
    if (code == 1 || worst == 0) worst = code;  // a difference counts most
  }
  return worst;
}

}  // namespace coxswain::sim
