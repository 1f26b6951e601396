// With what cox-coordinator and cox-worker end (numbers of sysexits.h): the one place where they
// stand; docs/architecture.md tells them to people, deploy/systemd acts on them.
#pragma once

namespace coxswain::base {

enum DaemonExitCode : int {
  kDaemonEnded = 0,    // it was told to
  kDaemonDisk = 74,    // EX_IOERR: its disk is full or fails; started again it may go on
  kDaemonBusy = 75,    // EX_TEMPFAIL: another process has its port or data directory; no DNS yet
  kDaemonConfig = 78,  // EX_CONFIG: started again it would end the same way: a person has to act
};

// Of a daemon that cannot start; `canonical_code` as in absl::StatusCode.
constexpr DaemonExitCode DaemonExitOf(int canonical_code) {
  constexpr int kAlreadyExists = 6, kResourceExhausted = 8, kInternal = 13, kUnavailable = 14;
  switch (canonical_code) {
    case kAlreadyExists:
      return kDaemonBusy;
    case kResourceExhausted:
    case kInternal:
    case kUnavailable:
      return kDaemonDisk;
    default:
      return kDaemonConfig;
  }
}

}  // namespace coxswain::base
