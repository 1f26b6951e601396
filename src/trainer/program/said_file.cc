#include "trainer/program/said_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace coxswain::trainer::program {
namespace {

using nlohmann::json;

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kMostLineBytes = 1 << 20;
constexpr size_t kMostNameBytes = 128;
constexpr size_t kShown = 80;  // bytes of a line, in a message
constexpr char kNan[] = "\x01nan", kInfinity[] = "\x01inf", kMinusInfinity[] = "\x01-inf";

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Python's words for numbers that JSON has not, as texts that no program writes.
std::string WithoutWords(std::string_view line) {
  std::string out;
  bool text = false;
  for (size_t i = 0; i < line.size();) {
    const std::string_view rest = line.substr(i);
    auto take = [&](std::string_view word, const char* as) {
      if (text || !rest.starts_with(word)) return false;
      if (rest.size() > word.size() && IsWordCharacter(rest[word.size()])) return false;
      absl::StrAppend(&out, "\"\\u0001", as + 1, "\"");
      i += word.size();
      return true;
    };
    if (take("NaN", kNan) || take("Infinity", kInfinity) || take("-Infinity", kMinusInfinity)) {
      continue;
    }
    if (text && line[i] == '\\' && i + 1 < line.size()) {
      out += line[i++];
    } else if (line[i] == '"') {
      text = !text;
    }
    out += line[i++];
  }
  return out;
}

std::optional<double> NumberOf(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text == kNan) return std::numeric_limits<double>::quiet_NaN();
  if (text == kInfinity) return std::numeric_limits<double>::infinity();
  if (text == kMinusInfinity) return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

absl::Status Wrong(const std::string& key, const json& found, const char* expected) {
  return absl::InvalidArgumentError(absl::StrCat(
      "'", key, "': found ", found.dump(-1, ' ', false, json::error_handler_t::replace),
      ", expected ", expected));
}

absl::Status ReadCount(const std::string& key, const json& value, std::optional<int64_t>* out) {
  constexpr double kMost = 9e15;  // whole numbers below it are told apart
  const double number = value.is_number() ? value.get<double>() : -1;
  if (!(number >= 0 && number <= kMost) || number != std::floor(number)) {
    return Wrong(key, value, "a whole number from 0");
  }
  *out = static_cast<int64_t>(number);
  return absl::OkStatus();
}

absl::Status ReadKey(const std::string& key, const json& value, Said* out) {
  if (key == "step") return ReadCount(key, value, &out->step);
  if (key == "epoch") return ReadCount(key, value, &out->epoch);
  if (key == "epochs") return ReadCount(key, value, &out->epochs);
  if (key == "total_steps") return ReadCount(key, value, &out->total_steps);
  if (key == "checkpoint") {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return Wrong(key, value, "the path of a folder");
    }
    out->checkpoint = value.get<std::string>();
    return absl::OkStatus();
  }
  if (key.empty() || key.size() > kMostNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a name of ", key.size(), " bytes, expected 1 to ", kMostNameBytes));
  }
  if (value.is_object()) {
    for (const auto& [name, below] : value.items()) {
      if (std::optional<double> number = NumberOf(below)) {
        out->numbers.push_back({absl::StrCat(key, ".", name), *number});
      }
    }
    return absl::OkStatus();
  }
  // Texts, lists and so on are for whoever else reads the file.
  if (std::optional<double> number = NumberOf(value)) out->numbers.push_back({key, *number});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Said> ParseSaid(std::string_view line) {
  json parsed = json::parse(WithoutWords(line), nullptr, false);
  if (parsed.is_discarded()) return absl::InvalidArgumentError("not JSON");
  if (!parsed.is_object()) {
    return absl::InvalidArgumentError("expected an object, such as {\"step\": 1, \"loss\": 0.5}");
  }
  Said said;
  for (const auto& [key, value] : parsed.items()) {
    if (absl::Status status = ReadKey(key, value, &said); !status.ok()) return status;
  }
  if (said.checkpoint && !said.step) {
    return absl::InvalidArgumentError("a checkpoint needs its 'step'");
  }
  return said;
}

SaidFile::~SaidFile() {
  if (fd_ >= 0) close(fd_);
}

std::vector<Said> SaidFile::Read(std::vector<std::string>* mistakes) {
  if (fd_ < 0) fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  std::vector<Said> out;
  if (fd_ < 0) return out;
  std::string buffer(kReadBytes, '\0');
  size_t at = 0;
  while (out.size() < kMostLines) {
    const size_t end = rest_.find('\n', at);
    if (end == std::string::npos) {
      rest_.erase(0, std::exchange(at, 0));
      if (rest_.size() > kMostLineBytes) {
        mistakes->push_back(absl::StrCat("line ", line_ + 1, " has more than ", kMostLineBytes,
                                         " bytes; it is not read"));
        rest_.clear();
      }
      const ssize_t got = read(fd_, buffer.data(), buffer.size());
      if (got <= 0) break;
      rest_.append(buffer, 0, static_cast<size_t>(got));
      continue;
    }
    const std::string line = rest_.substr(at, end - at);
    at = end + 1;
    ++line_;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    absl::StatusOr<Said> said = ParseSaid(line);
    if (said.ok()) {
      out.push_back(*std::move(said));
    } else {
      mistakes->push_back(absl::StrCat("line ", line_, " (", line.substr(0, kShown),
                                       line.size() > kShown ? "..." : "",
                                       "): ", said.status().message()));
    }
  }
  rest_.erase(0, at);
  return out;
}

}  // namespace coxswain::trainer::program
