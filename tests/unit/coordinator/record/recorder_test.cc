#include "coordinator/record/recorder.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "coordinator/record/segment.h"

namespace coxswain::coordinator::record {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Held {
  std::string begins, ends;
  std::vector<uint64_t> turns;  // their seq
  bool cut = false;
};

Held Read(const std::string& path) {
  std::string bytes = ReadFile(path);
  auto reader = SegmentReader::Open(bytes);
  EXPECT_TRUE(reader.ok()) << reader.status();
  Held held;
  Beginning beginning;
  TurnRecord turn;
  Ending ending;
  while (reader.ok()) {
    auto next = reader->Read(&beginning, &turn, &ending);
    held.cut = !next.ok();
    if (!next.ok() || *next == SegmentReader::Next::kNothing) break;
    if (*next == SegmentReader::Next::kBeginning) held.begins = beginning.reason;
    if (*next == SegmentReader::Next::kTurn) held.turns.push_back(turn.event.seq);
    if (*next == SegmentReader::Next::kEnding) held.ends = ending.reason;
  }
  return held;
}

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    std::string pattern = (fs::temp_directory_path() / "recorder-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    core::Snapshot snapshot;
    snapshot.cluster.id = base::ClusterId("c");
    snapshot.cluster.term = base::Term(3);
    core_.emplace(settings_, snapshot, now_, base::WallTime{1});
  }
  ~RecorderTest() override { fs::remove_all(folder_); }

  std::unique_ptr<Recorder> Make(uint64_t bytes, base::Duration retry = base::seconds(10)) {
    return std::make_unique<Recorder>(
        Recorder::Options{folder_, bytes, retry, [this](const std::string& problem) {
                            std::lock_guard lock(mutex_);
                            problems_.push_back(problem);
                          }});
  }
  void Begin(Recorder& recorder) {
    recorder.Begin(settings_, *core_, now_, base::WallTime{1}, "the core's life begins");
  }
  // A submission of so many bytes: nobody is there to check it, so that it is accepted at once.
  void Turn(Recorder& recorder, size_t bytes) {
    core::JobSubmitted job;
    job.spec_yaml = std::string(bytes, 'x');
    job.dry_run = true;
    core::Event event{++seq_, now_, base::WallTime{1}, seq_, std::move(job)};
    core::Decisions decisions = core_->Decide(event);
    recorder.Turn(event, decisions);
    recorder.KeepUp(settings_, *core_, now_, base::WallTime{1});
  }
  // Time passes: a new file is tried.
  void TurnUntilItRecordsAgain(Recorder& recorder) {
    size_t files = FindRecordings(folder_).size();
    now_ = now_ + base::seconds(10);
    while (FindRecordings(folder_).size() == files) Turn(recorder, 10);
  }
  std::vector<std::string> problems() {
    std::lock_guard lock(mutex_);
    return problems_;
  }

  std::string folder_;
  core::Settings settings_{.default_store = "s3://b/x"};
  base::Time now_{1'000'000};
  std::optional<core::Coordinator> core_;
  uint64_t seq_ = 0;
  std::mutex mutex_;
  std::vector<std::string> problems_;
};

TEST_F(RecorderTest, WhatEnteredTheCore_IsThereInOrder) {
  auto recorder = Make(1 << 20);
  Begin(*recorder);
  for (int i = 0; i < 5; ++i) Turn(*recorder, 100);
  recorder->End(&*core_, "the coordinator stops");
  recorder->Stop();
  auto paths = FindRecordings(folder_);
  ASSERT_EQ(paths.size(), 1);
  Held held = Read(paths[0]);
  EXPECT_EQ(held.begins, "the core's life begins");
  EXPECT_EQ(held.ends, "the coordinator stops");
  EXPECT_THAT(held.turns, testing::ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(fs::status(paths[0]).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(RecorderTest, OldestFilesGo_AndNumbersRiseAcrossLives) {
  constexpr uint64_t kMost = 40'000;
  for (int life = 0; life < 2; ++life) {
    auto recorder = Make(kMost);
    Begin(*recorder);
    for (int i = 0; i < 100; ++i) Turn(*recorder, 1000);
    recorder->End(&*core_, "the coordinator stops");
  }
  auto paths = FindRecordings(folder_);
  ASSERT_GE(paths.size(), 2);
  uint64_t all = 0, last = 0;
  for (const std::string& path : paths) {
    all += fs::file_size(path);
    Held held = Read(path);
    EXPECT_FALSE(held.cut);
    if (held.turns.empty()) continue;  // begun at the very end
    bool follows = last == 0 || held.turns.front() == last + 1;
    EXPECT_TRUE(follows) << path << " begins with " << held.turns.front() << " after " << last;
    last = held.turns.back();
  }
  EXPECT_LE(all, kMost);
  EXPECT_EQ(last, 200);
  EXPECT_GT(fs::path(paths.back()).filename().string(), "recording-000018.rec");
}

// As on a full disk: a write that fails in the middle of a record.
TEST_F(RecorderTest, FileThatCannotGrow_EndsWithAWholeRecord_AndIsTriedAgain) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 5'000;
  setrlimit(RLIMIT_FSIZE, &small);
  auto recorder = Make(1 << 20);
  Begin(*recorder);
  for (int i = 0; i < 8; ++i) Turn(*recorder, 1000);
  while (problems().empty()) std::this_thread::yield();
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(problems().front(),
              HasSubstr("the recording for cox-sim replay has stopped: cannot write"));
  uint64_t lost = seq_;
  TurnUntilItRecordsAgain(*recorder);
  EXPECT_EQ(problems().size(), 1) << "not yet: it may fail again at once";
  now_ = now_ + base::seconds(10);
  Turn(*recorder, 10);
  EXPECT_EQ(problems().at(1), "");
  recorder->End(&*core_, "the coordinator stops");
  recorder->Stop();
  auto paths = FindRecordings(folder_);
  ASSERT_GE(paths.size(), 2);
  for (const std::string& path : paths) EXPECT_FALSE(Read(path).cut) << path;
  EXPECT_EQ(Read(paths.front()).begins, "the core's life begins");
  EXPECT_GT(Read(paths.back()).turns.front(), lost);
  EXPECT_EQ(Read(paths.back()).turns.back(), seq_);
}

TEST_F(RecorderTest, FolderThatCannotBeMade_IsToldOnce_AndNothingElseHappens) {
  std::ofstream(folder_ + "/file").put('x');
  folder_ += "/file";
  {
    auto recorder = Make(1 << 20);
    Begin(*recorder);
    for (int i = 0; i < 20; ++i) Turn(*recorder, 10);
  }
  EXPECT_THAT(problems(), testing::ElementsAre(HasSubstr("cannot make")));
  folder_ = fs::path(folder_).parent_path();
}

TEST_F(RecorderTest, StateLargerThanItsPart_IsSaid) {
  {
    auto recorder = Make(200);
    Begin(*recorder);
    Turn(*recorder, 10);
  }
  EXPECT_THAT(problems(),
              testing::ElementsAre(HasSubstr("set retention.recording.size to at least")));
  EXPECT_TRUE(FindRecordings(folder_).empty());
}

TEST_F(RecorderTest, WhileTheDiskIsNearlyFull_NothingIsRecorded) {
  auto recorder = Make(1 << 20);
  Begin(*recorder);
  Turn(*recorder, 10);
  recorder->Shed(true);
  for (int i = 0; i < 3; ++i) Turn(*recorder, 10);
  while (problems().empty()) Turn(*recorder, 10);
  EXPECT_THAT(problems().front(), HasSubstr("the disk is nearly full"));
  recorder->Shed(false);
  TurnUntilItRecordsAgain(*recorder);
  recorder->End(&*core_, "the coordinator stops");
  recorder->Stop();
  auto paths = FindRecordings(folder_);
  ASSERT_GE(paths.size(), 2);
  EXPECT_EQ(Read(paths.front()).ends, "the disk is nearly full");
  EXPECT_THAT(Read(paths.front()).turns, testing::ElementsAre(1));
  EXPECT_EQ(Read(paths.back()).begins, "it records again");
}

}  // namespace
}  // namespace coxswain::coordinator::record
