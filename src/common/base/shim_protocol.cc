#include "common/base/shim_protocol.h"

#include "common/base/fields.h"

namespace coxswain::base {
namespace {

constexpr char kExitHead[] = "coxswain-exit 1";
constexpr char kIdentityHead[] = "coxswain-process 1";
}  // namespace

std::string EncodeExit(const ShimExit& exit) {
  Fields fields;
  Put(fields, "code", exit.code);
  Put(fields, "signal", exit.signal);
  Put(fields, "oom_killed", exit.oom_killed);
  Put(fields, "stopped", exit.stopped);
  Put(fields, "started_us", exit.started.us);
  Put(fields, "ended_us", exit.ended.us);
  Put(fields, "user_us", exit.user_us);
  Put(fields, "system_us", exit.system_us);
  Put(fields, "peak_rss_bytes", exit.peak_rss_bytes);
  Put(fields, "note", exit.note);
  Put(fields, "last_log", exit.last_log);
  return EncodeFields(kExitHead, fields);
}

std::optional<ShimExit> DecodeExit(std::string_view text) {
  std::optional<FieldMap> fields = DecodeFields(text, kExitHead);
  if (!fields) return std::nullopt;
  ShimExit exit;
  exit.code = static_cast<int>(GetNumber(*fields, "code"));
  exit.signal = static_cast<int>(GetNumber(*fields, "signal"));
  exit.oom_killed = GetNumber(*fields, "oom_killed") != 0;
  exit.stopped = GetNumber(*fields, "stopped") != 0;
  exit.started.us = GetNumber(*fields, "started_us");
  exit.ended.us = GetNumber(*fields, "ended_us");
  exit.user_us = GetNumber(*fields, "user_us");
  exit.system_us = GetNumber(*fields, "system_us");
  exit.peak_rss_bytes = GetNumber(*fields, "peak_rss_bytes");
  exit.note = Get(*fields, "note");
  exit.last_log = Get(*fields, "last_log");
  return exit;
}

std::string EncodeIdentity(const ProcessIdentity& identity) {
  Fields fields;
  Put(fields, "pid", identity.pid);
  Put(fields, "start_ticks", static_cast<int64_t>(identity.start_ticks));
  Put(fields, "boot_id", identity.boot_id);
  return EncodeFields(kIdentityHead, fields);
}

std::optional<ProcessIdentity> DecodeIdentity(std::string_view text) {
  std::optional<FieldMap> fields = DecodeFields(text, kIdentityHead);
  if (!fields) return std::nullopt;
  return ProcessIdentity{GetNumber(*fields, "pid"),
                         static_cast<uint64_t>(GetNumber(*fields, "start_ticks")),
                         Get(*fields, "boot_id")};
}

}  // namespace coxswain::base
