// Trying again, for as long as a policy allows, until cancelled; and saying what is waited for.
//
// One Patience belongs to one line of work on one store (an upload, a restore). Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/base/time.h"

namespace coxswain::trainer::blob {

struct RetryPolicy {
  base::Duration first_pause = base::milliseconds(200);
  base::Duration longest_pause = base::seconds(2);  // pauses double up to this
  base::Duration give_up_after = base::seconds(5);  // of unbroken trouble
};

// For saves: an unreachable store does not fail a checkpoint for half an hour.
inline constexpr RetryPolicy kSavePolicy{base::milliseconds(200), base::seconds(2),
                                         base::seconds(1800)};

class Patience {
 public:
  // `what`: "checkpoint store s3://bucket/prefix". `place`: the URI in it, which errors that are
  // told need not repeat; empty: none.
  Patience(RetryPolicy policy, std::string what, std::string place = "");

  // Calls `operation` until it is OK or fails for good: with a status that is not retryable, when
  // trouble has lasted give_up_after, or CANCELLED.
  [[nodiscard]] absl::Status Run(absl::FunctionRef<absl::Status()> operation);

  // Notes a failure. The pause before the next try; nothing: give up (or cancelled).
  std::optional<base::Duration> Failed(const absl::Status& error);
  void Succeeded();
  // Sleeps; false if cancelled meanwhile.
  bool Pause(base::Duration pause);

  void Cancel();  // for ever; wakes a pause
  bool cancelled() const;

  // "checkpoint store s3://bucket/prefix unreachable since 12:03:11: connection refused", "... full
  // since ..." (RESOURCE_EXHAUSTED), local time; empty: nothing is waited for.
  std::string waiting_for() const;

 private:
  const RetryPolicy policy_;
  const std::string what_, place_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool cancelled_ = false;
  base::Duration next_pause_;
  base::Time since_, last_;  // of the present trouble; last_.us == 0: none
  base::WallTime since_wall_;
  absl::Status error_;
};

}  // namespace coxswain::trainer::blob
