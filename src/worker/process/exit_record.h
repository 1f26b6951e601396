// The shim's exit record in the words of the protocol.
#pragma once

#include "common/base/shim_protocol.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::worker::process {

inline protocol::ExitRecord ToExitRecord(const base::ShimExit& exit) {
  protocol::ExitRecord record;
  record.code = exit.code;
  record.signal = exit.signal;
  record.oom_killed = exit.oom_killed;
  record.stopped_by_us = exit.stopped;
  record.started = exit.started;
  record.ended = exit.ended;
  record.user_us = exit.user_us;
  record.system_us = exit.system_us;
  record.peak_rss_bytes = exit.peak_rss_bytes;
  record.last_log = exit.last_log;
  record.note = exit.note;
  return record;
}

}  // namespace coxswain::worker::process
