#include "common/log/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace coxswain::log {
namespace {

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> MakeLogger(std::string_view program, Level level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>(std::string(program), std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %^%l%$ %n[%P]: %v", spdlog::pattern_time_type::utc);
  logger->set_level(ToSpdlog(level));
  return logger;
}

// Never destroyed: threads may log until the process has ended.
std::shared_ptr<spdlog::logger>& Logger() {
  static auto& logger = *new std::shared_ptr<spdlog::logger>(MakeLogger("coxswain", Level::kInfo));
  return logger;
}

struct Secrets {
  std::shared_mutex mutex;
  std::vector<std::string> values;  // guarded by mutex
};
Secrets& HiddenSecrets() {
  static auto& secrets = *new Secrets;
  return secrets;
}

void ReplaceSecrets(std::string* text) {
  Secrets& secrets = HiddenSecrets();
  std::shared_lock lock(secrets.mutex);
  for (const std::string& secret : secrets.values) {
    for (size_t at = text->find(secret); at != std::string::npos; at = text->find(secret, at)) {
      text->replace(at, secret.size(), "***");
      at += 3;
    }
  }
}

}  // namespace

void Init(std::string_view program, Level level) { Logger() = MakeLogger(program, level); }

std::optional<Level> ParseLevel(std::string_view text) {
  for (Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (text == ToString(level)) return level;
  }
  return std::nullopt;
}

const char* ToString(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "info";
}

void HideSecret(std::string secret) {
  if (secret.size() < 8) return;
  Secrets& secrets = HiddenSecrets();
  std::unique_lock lock(secrets.mutex);
  secrets.values.push_back(std::move(secret));
}

bool Enabled(Level level) { return Logger()->should_log(ToSpdlog(level)); }

std::string OneLine(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += ' ';
    } else if (byte < 0x20 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      line += escaped;
    } else {
      line += c;
    }
  }
  ReplaceSecrets(&line);
  return line;
}

void Write(Level level, std::string_view text) {
  if (!Enabled(level)) return;
  Logger()->log(ToSpdlog(level), spdlog::string_view_t(OneLine(text)));
}

}  // namespace coxswain::log
