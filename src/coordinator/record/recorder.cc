#include "coordinator/record/recorder.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/base/byte_text.h"
#include "coordinator/record/segment.h"

namespace coxswain::coordinator::record {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostWaiting = uint64_t{64} << 20;
constexpr size_t kMostFiles = 256;
constexpr uint64_t kFilesInAll = 4;  // into so many parts the whole size is divided
constexpr char kPrefix[] = "recording-", kSuffix[] = ".rec";

uint64_t NumberOf(const std::string& path) {
  std::string name = fs::path(path).filename().string();
  return std::strtoull(name.c_str() + std::strlen(kPrefix), nullptr, 10);
}

}  // namespace

std::vector<std::string> FindRecordings(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end(),
            [](const std::string& a, const std::string& b) { return NumberOf(a) < NumberOf(b); });
  return paths;
}

Recorder::Recorder(Options options) : options_(std::move(options)) {
  std::vector<std::string> there = FindRecordings(options_.folder);
  if (!there.empty()) last_number_ = NumberOf(there.back());
  thread_ = std::thread([this] { Run(); });
}

void Recorder::Begin(const core::Settings& settings, const core::Coordinator& core, base::Time now,
                     base::WallTime wall, std::string reason) {
  if (shed_) return;
  failed_ = false;
  recording_ = true;
  try_at_ = now + options_.retry;
  turn_bytes_ = 0;
  auto beginning = std::make_unique<Beginning>();
  *beginning = {wall, std::move(reason), settings, core.Digest(), core.TakeImage()};
  Push({std::move(beginning), "", ""});
}

void Recorder::Turn(const core::Event& event, const core::Decisions& decisions) {
  if (!recording_ || failed_) return;
  if (waiting_bytes_ > kMostWaiting || shed_) {
    recording_ = false;
    std::string why = shed_ ? "the disk is nearly full" : "the disk is too slow for it";
    return Push({nullptr, Encode(Ending{why, 0}), why});
  }
  std::string bytes = Encode(event, decisions);
  turn_bytes_ += bytes.size();
  Push({nullptr, std::move(bytes), ""});
}

void Recorder::KeepUp(const core::Settings& settings, const core::Coordinator& core, base::Time now,
                      base::WallTime wall) {
  if (!recording_ || failed_) {
    if (now >= try_at_ && waiting_bytes_ == 0) Begin(settings, core, now, wall, "it records again");
    return;
  }
  uint64_t turns = turn_bytes_, state = state_bytes_;
  if (now >= try_at_ && told_.exchange(false)) options_.problem("");
  // Not more states than turns, however large a state is.
  if (turns < state || turns + state < options_.most_bytes / kFilesInAll) return;
  End(&core, "it is full");
  Begin(settings, core, now, wall, "the last file is full");
}

void Recorder::End(const core::Coordinator* core, std::string reason) {
  if (recording_ && !failed_) {
    Push({nullptr, Encode(Ending{std::move(reason), core == nullptr ? 0 : core->Digest()}), ""});
  }
  recording_ = false;
}

void Recorder::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    ready_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Recorder::Push(Item item) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  waiting_bytes_ += item.bytes.size() + (item.beginning ? 1 : 0);
  bool joins = !item.beginning && !queue_.empty() && queue_.back().stop.empty();
  if (joins) {
    queue_.back().bytes += item.bytes;
    queue_.back().stop = std::move(item.stop);
  } else {
    queue_.push_back(std::move(item));
  }
  ready_.notify_one();
}

void Recorder::Run() {
  std::error_code ignored;
  fs::create_directories(options_.folder, ignored);  // if not, the first file tells why
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (queue_.empty()) break;
    std::vector<Item> items = std::exchange(queue_, {});
    lock.unlock();
    for (Item& item : items) Write(item);
    lock.lock();
  }
  CloseFile();
}

void Recorder::Write(Item& item) {
  uint64_t done = item.bytes.size() + (item.beginning ? 1 : 0);
  std::string why;
  if (item.beginning) why = OpenNext(*item.beginning);
  if (why.empty() && file_ >= 0) why = Append(item.bytes);
  if (why.empty()) why = item.stop;
  if (!why.empty()) Fail(why);
  waiting_bytes_ -= done;
}

std::string Recorder::OpenNext(Beginning& beginning) {
  CloseFile();
  std::string bytes = FirstLine() + Encode(beginning);
  beginning = {};
  state_bytes_ = bytes.size();
  if (bytes.size() > options_.most_bytes / kFilesInAll) {
    return absl::StrCat("the state alone has ", base::BytesText(bytes.size()),
                        "; set retention.recording.size to at least ",
                        base::BytesText(bytes.size() * kFilesInAll));
  }
  MakeRoom(options_.most_bytes / kFilesInAll);
  path_ = absl::StrFormat("%s/%s%06d%s", options_.folder, kPrefix, ++last_number_, kSuffix);
  file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file_ < 0) return absl::StrCat("cannot make ", path_, ": ", std::strerror(errno));
  // Tells cox-sim replay that this file still grows. Without it the file is taken for one cut off.
  [[maybe_unused]] int locked = flock(file_, LOCK_EX | LOCK_NB);
  size_ = 0;
  return Append(bytes);
}

std::string Recorder::Append(const std::string& bytes) {
  size_t written = 0;
  while (written < bytes.size()) {
    ssize_t n = write(file_, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return absl::StrCat("cannot write ", path_, ": ", std::strerror(errno));
    written += static_cast<size_t>(n);
  }
  size_ += bytes.size();
  return "";
}

// So that a file of `bytes` more is within the limit.
void Recorder::MakeRoom(uint64_t bytes) {
  std::vector<std::string> paths = FindRecordings(options_.folder);
  std::error_code ignored;
  uint64_t all = bytes;
  for (const std::string& path : paths) all += fs::file_size(path, ignored);
  size_t left = paths.size();
  for (const std::string& path : paths) {
    if (all <= options_.most_bytes && left < kMostFiles) return;
    all -= fs::file_size(path, ignored);
    --left;
    fs::remove(path, ignored);
  }
}

// The file ends with its last whole record, or goes if it has none.
void Recorder::Fail(const std::string& why) {
  failed_ = true;
  if (file_ >= 0) {
    if (size_ == 0) {
      unlink(path_.c_str());
    } else {
      [[maybe_unused]] int cut = ftruncate(file_, static_cast<off_t>(size_));
    }
  }
  CloseFile();
  if (!told_.exchange(true)) {
    options_.problem(absl::StrCat("the recording for cox-sim replay has stopped: ", why,
                                  " (all else goes on; a new one is tried from time to time)"));
  }
}

void Recorder::CloseFile() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

}  // namespace coxswain::coordinator::record
