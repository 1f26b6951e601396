#include "cli/output/yaml_text.h"

#include <cctype>
#include <nlohmann/json.hpp>

namespace coxswain::cli::output {
namespace {

using Json = nlohmann::ordered_json;

// Letters first, then letters, digits and a few marks: never read as a number, a date or a sign.
bool IsPlain(const std::string& text) {
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0]))) return false;
  for (char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) &&
        std::string_view("_-./ ").find(c) == std::string_view::npos) {
      return false;
    }
  }
  if (text.back() == ' ') return false;
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (text.size() == std::string_view(word).size() &&
        std::equal(text.begin(), text.end(), word, [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == b;
        })) {
      return false;
    }
  }
  return true;
}

// A literal block keeps every line as it is; it cannot hold control characters or odd ends.
bool FitsBlock(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.back() != '\n' || text.ends_with("\n\n"))
    return false;
  if (text[0] == ' ' || text[0] == '\n') return false;
  for (char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) return false;
  }
  return true;
}

std::string Scalar(const Json& value) {
  if (value.is_string() && IsPlain(value.get_ref<const std::string&>()))
    return value.get<std::string>();
  return value.dump();  // JSON's scalars are YAML's
}

void Append(const Json& value, size_t indent, std::string* out);

void AppendBlock(const std::string& text, size_t indent, std::string* out) {
  *out += " |\n";
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    *out += line.empty() ? "\n" : std::string(indent, ' ') + line + "\n";
    begin = end + 1;
  }
}

// What follows "key:" or "-".
void AppendValue(const Json& value, size_t indent, std::string* out) {
  if (value.is_structured() && !value.empty()) {
    *out += '\n';
    Append(value, indent, out);
  } else if (value.is_string() && FitsBlock(value.get_ref<const std::string&>())) {
    AppendBlock(value.get_ref<const std::string&>(), indent, out);
  } else {
    *out += " " + Scalar(value) + "\n";
  }
}

void Append(const Json& value, size_t indent, std::string* out) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& [key, below] : value.items()) {
      *out += margin + Scalar(Json(key)) + ":";
      AppendValue(below, indent + 2, out);
    }
  } else if (value.is_array()) {
    for (const Json& item : value) {
      if (item.is_object() && !item.empty()) {
        std::string text;
        Append(item, indent + 2, &text);
        text[indent] = '-';
        *out += text;
      } else {
        *out += margin + "-";
        AppendValue(item, indent + 2, out);
      }
    }
  }
}

}  // namespace

std::string YamlFromJson(std::string_view json) {
  const Json value = Json::parse(json, nullptr, false);
  if (value.is_discarded()) return std::string(json);
  if (!value.is_structured() || value.empty()) return Scalar(value) + "\n";
  std::string out;
  Append(value, 0, &out);
  return out;
}

std::string PrettyJson(std::string_view json) {
  const Json value = Json::parse(json, nullptr, false);
  return (value.is_discarded() ? std::string(json) : value.dump(2)) + "\n";
}

}  // namespace coxswain::cli::output
