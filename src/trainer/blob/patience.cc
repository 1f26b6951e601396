#include "trainer/blob/patience.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "common/base/clock.h"
#include "trainer/blob/blob_store.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

// Parts of an object fail and succeed unseen inside a client library: trouble is over once nothing
// has failed for so long. Longer than the longest pause and a request's own timeout together.
constexpr base::Duration kQuiet = base::seconds(20);

constexpr std::string_view kFileScheme = "file://";

std::string LocalClock(base::WallTime time) {
  time_t seconds = time.us / 1'000'000;
  tm local{};
  localtime_r(&seconds, &local);
  char text[16];
  strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

// Objects by their names below `place`, a URI; a file's errors have its path.
std::string Without(std::string text, std::string_view place) {
  if (place.empty()) return text;
  const std::string uri = Cat(place, "/");
  const std::string path = uri.starts_with(kFileScheme) ? uri.substr(kFileScheme.size()) : uri;
  for (const std::string& each : {uri, path}) {
    if (each == "/") continue;
    for (size_t at = 0; (at = text.find(each, at)) != std::string::npos;) {
      text.erase(at, each.size());
    }
  }
  return text;
}

}  // namespace

Patience::Patience(RetryPolicy policy, std::string what, std::string place)
    : policy_(policy),
      what_(std::move(what)),
      place_(std::move(place)),
      next_pause_(policy.first_pause) {}

absl::Status Patience::Run(absl::FunctionRef<absl::Status()> operation) {
  while (true) {
    if (cancelled()) return absl::CancelledError(Cat(what_, ": cancelled"));
    absl::Status status = operation();
    if (status.ok()) {
      Succeeded();
      return status;
    }
    if (!IsRetryable(status)) return status;
    std::optional<base::Duration> pause = Failed(status);
    if (pause && Pause(*pause)) continue;
    if (cancelled()) {
      return absl::CancelledError(Cat(what_, ": cancelled; last error: ", status.message()));
    }
    return absl::Status(status.code(), Cat(status.message(), " (gave up after ",
                                           policy_.give_up_after.count() / 1'000'000, " s)"));
  }
}

std::optional<base::Duration> Patience::Failed(const absl::Status& error) {
  base::Time now = base::MonotonicNow();
  std::lock_guard lock(mutex_);
  if (last_.us == 0 || now - last_ > kQuiet) {
    since_ = now;
    since_wall_ = base::WallNow();
    next_pause_ = policy_.first_pause;
  }
  last_ = now;
  error_ = error;
  if (cancelled_ || now - since_ >= policy_.give_up_after) return std::nullopt;
  base::Duration pause = next_pause_;
  next_pause_ = std::min(next_pause_ * 2, policy_.longest_pause);
  return pause;
}

void Patience::Succeeded() {
  std::lock_guard lock(mutex_);
  last_ = base::Time{};
}

bool Patience::Pause(base::Duration pause) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, pause, [&] { return cancelled_; });
  return !cancelled_;
}

void Patience::Cancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  wake_.notify_all();
}

bool Patience::cancelled() const {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

std::string Patience::waiting_for() const {
  std::lock_guard lock(mutex_);
  if (last_.us == 0 || base::MonotonicNow() - last_ > kQuiet) return "";
  const char* state = absl::IsResourceExhausted(error_) ? " full since " : " unreachable since ";
  return Cat(what_, state, LocalClock(since_wall_), ": ",
             Without(std::string(error_.message()), place_));
}

}  // namespace coxswain::trainer::blob
