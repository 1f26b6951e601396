#include "common/base/fields.h"

#include <charconv>

namespace coxswain::base {
namespace {

constexpr std::string_view kEnd = "end";

template <class T>
T Number(const FieldMap& fields, std::string_view key) {
  T value = 0;
  auto it = fields.find(key);
  if (it == fields.end()) return value;
  const std::string& text = it->second;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

void Put(Fields& fields, std::string_view key, std::string_view value) {
  fields.emplace_back(key, value);
}
void Put(Fields& fields, std::string_view key, int64_t value) {
  fields.emplace_back(key, std::to_string(value));
}

std::string EncodeFields(std::string_view head, const Fields& fields) {
  std::string out(head);
  out += '\n';
  for (const auto& [key, value] : fields) out += key + " " + EscapeLine(value) + "\n";
  return out.append(kEnd).append("\n");
}

std::optional<FieldMap> DecodeFields(std::string_view text, std::string_view head) {
  FieldMap fields;
  bool first = true;
  while (true) {
    size_t stop = text.find('\n');
    if (stop == std::string_view::npos) return std::nullopt;
    std::string_view line = text.substr(0, stop);
    text.remove_prefix(stop + 1);
    size_t space = line.find(' ');
    if (first) {
      if (line != head) return std::nullopt;
      first = false;
    } else if (line == kEnd) {
      return fields;
    } else if (space == std::string_view::npos) {
      return std::nullopt;
    } else {
      fields.emplace(line.substr(0, space), UnescapeLine(line.substr(space + 1)));
    }
  }
}

std::string Get(const FieldMap& fields, std::string_view key) {
  auto it = fields.find(key);
  return it == fields.end() ? std::string() : it->second;
}
int64_t GetNumber(const FieldMap& fields, std::string_view key) {
  return Number<int64_t>(fields, key);
}
uint64_t GetUnsigned(const FieldMap& fields, std::string_view key) {
  return Number<uint64_t>(fields, key);
}

std::string EscapeLine(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out;
}

std::string UnescapeLine(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
      out += line[i] == 'n' ? '\n' : line[i];
    } else {
      out += line[i];
    }
  }
  return out;
}

}  // namespace coxswain::base
