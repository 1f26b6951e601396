// Durations, sizes, numbers and addresses as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace coxswain::config {

// "90s", "5m", "2h", "1h30m", "7d", "250ms", "0". Nothing for anything else (a bare number has no
// unit).
std::optional<base::Duration> ParseDuration(std::string_view text);
// The shortest exact form that ParseDuration reads: "1h30m", "250ms", "0s".
std::string FormatDuration(base::Duration duration);

// "8GiB", "512MiB", "10GB", "4096B", "0"; in bytes. Nothing for anything else.
std::optional<int64_t> ParseSize(std::string_view text);
// "8GiB", "1.5MiB", "512B": for people, at most two decimals.
std::string FormatSize(int64_t bytes);

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;
};
// "127.0.0.1:7070", "[::1]:7070", "node1:0". Nothing for anything else.
std::optional<HostPort> ParseHostPort(std::string_view text);
// True for addresses that only this machine can reach: 127.0.0.0/8, ::1, localhost.
bool IsLoopback(std::string_view host);

// The text on one line: control characters (C0, DEL, C1, hidden ones: base/utf8.h) and bytes that
// are no valid UTF-8 become \x1b and so on. What is plain stays as it is.
std::string Escaped(std::string_view text);
// Likewise within double quotes, cut after 80 bytes: for messages.
std::string Quoted(std::string_view text);
// The offset of the first byte that is a control character (C0 other than those in `allowed`, DEL,
// C1, hidden ones) or does not belong to valid UTF-8; npos: none.
size_t FindBadByte(std::string_view text, std::string_view allowed = "");

}  // namespace coxswain::config
