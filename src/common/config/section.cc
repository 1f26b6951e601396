#include "common/config/section.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "common/base/byte_text.h"
#include "common/base/nearest_name.h"
#include "common/config/quantities.h"

namespace coxswain::config {
namespace {

// A number without the noise of trailing zeros: "0.9", "1e-08".
std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

template <class I>
std::string IntegerRange(I low, I high) {
  const std::string from = "a whole number ";
  return high == kNoLimit<I> ? from + "of at least " + std::to_string(low)
                             : from + "from " + std::to_string(low) + " to " + std::to_string(high);
}

std::string RealRangeText(RealRange range) {
  std::string text = "a number ";
  text += range.above ? "above " : range.high == kNoLimit<double> ? "of at least " : "from ";
  text += Short(range.low);
  if (range.high == kNoLimit<double>) return text;
  text += range.above ? " and " : " to ";
  text += range.below ? "below " : range.above ? "at most " : "";
  return text + Short(range.high);
}

bool InRange(double value, RealRange range) {
  if (range.above ? value <= range.low : value < range.low) return false;
  return range.below ? value < range.high : value <= range.high;
}

template <class N>
bool ParseNumber(const std::string& text, N* out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return !text.empty() && error == std::errc() && stop == text.data() + text.size();
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string Describe(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return "nothing";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a section with keys";
  return Quoted(node.Scalar());
}

Section::Section(const YAML::Node& node, std::string path, uint32_t line, Notebook* notes)
    : path_(std::move(path)), line_(line), notes_(notes) {
  if (!node.IsDefined() || !node.IsMap()) return;
  present_ = true;
  for (const auto& pair : node) AddEntry(pair.first, pair.second);
}

void Section::AddEntry(const YAML::Node& key, const YAML::Node& value) {
  if (!key.IsScalar()) {
    notes_->Wrong(path_, LineOf(key), "found " + Describe(key) + " as a key, expected a name");
    return;
  }
  const uint32_t line = LineOf(key);
  if (const Entry* first = Find(key.Scalar())) {
    notes_->Wrong(PathOf(key.Scalar()), line,
                  "duplicate key '" + key.Scalar() + "' " +
                      (path_.empty() ? "at the top of the file" : "in " + path_) +
                      ", first given in line " + std::to_string(first->line));
    return;
  }
  entries_.push_back({key.Scalar(), line, value});
}

const Section::Entry* Section::Find(std::string_view key) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.key == key; });
  return it == entries_.end() ? nullptr : &*it;
}

bool Section::IsSection(std::string_view key) const {
  const Entry* entry = Find(key);
  return entry != nullptr && entry->node.IsMap();
}

std::string Section::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Section::Entry* Section::Declare(std::string_view key) {
  declared_.emplace_back(key);
  notes_->KnowKey(PathOf(key));
  return Find(key);
}

void Section::Found(const Entry& entry, const std::string& found, std::string_view expected,
                    const std::string& hint) {
  const std::string path = PathOf(entry.key);
  notes_->Wrong(path, entry.line,
                path + ": found " + found + ", expected " + std::string(expected) + hint);
}

bool Section::Scalar(std::string_view key, std::string_view expected, bool quoted_too,
                     std::string* out) {
  const Entry* entry = Declare(key);
  if (entry == nullptr) return false;
  if (!entry->node.IsScalar()) {
    Found(*entry, Describe(entry->node), expected);
    return false;
  }
  if (!quoted_too && entry->node.Tag() == "!") {
    Found(*entry, "the text " + Quoted(entry->node.Scalar()) + " in quotes", expected);
    return false;
  }
  *out = entry->node.Scalar();
  return true;
}

template <class I>
bool Section::IntegerOf(std::string_view key, I low, I high, I* out) {
  std::string text;
  const std::string expected = IntegerRange(low, high);
  if (!Scalar(key, expected, false, &text)) return false;
  I value = 0;
  if (!ParseNumber(text, &value) || value < low || value > high) {
    Found(*Find(key), Quoted(text), expected);
    return false;
  }
  *out = value;
  return true;
}

bool Section::Integer(std::string_view key, int64_t low, int64_t high, int64_t* out) {
  return IntegerOf(key, low, high, out);
}
bool Section::Integer(std::string_view key, uint32_t low, uint32_t high, uint32_t* out) {
  return IntegerOf(key, low, high, out);
}
bool Section::Seed(std::string_view key, uint64_t* out) {
  return IntegerOf(key, uint64_t{0}, kNoLimit<uint64_t>, out);
}

bool Section::Real(std::string_view key, RealRange range, double* out) {
  std::string text;
  const std::string expected = RealRangeText(range);
  if (!Scalar(key, expected, false, &text)) return false;
  double value = 0;
  if (!ParseNumber(text, &value) || !std::isfinite(value) || !InRange(value, range)) {
    Found(*Find(key), Quoted(text), expected);
    return false;
  }
  *out = value;
  return true;
}

bool Section::Bool(std::string_view key, bool* out) {
  std::string text;
  if (!Scalar(key, "true or false", false, &text)) return false;
  if (text != "true" && text != "false") {
    Found(*Find(key), Quoted(text), "true or false");
    return false;
  }
  *out = text == "true";
  return true;
}

bool Section::Duration(std::string_view key, base::Duration low, base::Duration high,
                       base::Duration* out) {
  std::string text;
  const std::string kinds = "a duration such as 90s, 5m or 2h";
  if (!Scalar(key, kinds, true, &text)) return false;
  const std::optional<base::Duration> value = ParseDuration(text);
  if (!value) {
    const bool no_unit = text.find_first_not_of("0123456789.") == std::string::npos;
    Found(*Find(key), Quoted(text), kinds,
          no_unit && !text.empty() ? " (did you mean '" + text + "s'?)" : "");
    return false;
  }
  if (*value < low || *value > high) {
    Found(*Find(key), Quoted(text),
          "a duration from " + FormatDuration(low) + " to " + FormatDuration(high));
    return false;
  }
  *out = *value;
  return true;
}

bool Section::Size(std::string_view key, int64_t low, int64_t high, int64_t* out) {
  std::string text;
  const std::string kinds = "a size such as 8GiB or 512MiB";
  if (!Scalar(key, kinds, true, &text)) return false;
  const std::optional<int64_t> value = ParseSize(text);
  if (!value) {
    std::string guess = text;
    if (guess.ends_with("i")) guess += "B";
    if (guess.find_first_not_of("0123456789.") == guess.size() - 1) guess += "iB";
    Found(*Find(key), Quoted(text), kinds,
          guess != text && ParseSize(guess) ? " (did you mean '" + guess + "'?)" : "");
    return false;
  }
  if (*value < low || *value > high) {
    Found(*Find(key), Quoted(text), "a size from " + FormatSize(low) + " to " + FormatSize(high));
    return false;
  }
  *out = *value;
  return true;
}

bool Section::Text(std::string_view key, std::string_view expected, std::string* out) {
  std::string text;
  if (!Scalar(key, expected, true, &text)) return false;
  if (text.empty() || FindBadByte(text) != std::string::npos) {
    Found(*Find(key), Quoted(text),
          std::string(expected) + (text.empty() ? "" : ", without control characters"));
    return false;
  }
  *out = std::move(text);
  return true;
}

bool Section::IntegerList(std::string_view key, int64_t low, int64_t high, size_t most,
                          std::vector<int64_t>* out) {
  const Entry* entry = Declare(key);
  if (entry == nullptr) return false;
  const std::string expected = "a list of 1 to " + std::to_string(most) + " whole numbers from " +
                               std::to_string(low) + " to " + std::to_string(high) +
                               ", such as [32, 64]";
  if (!entry->node.IsSequence()) {
    Found(*entry, Describe(entry->node), expected);
    return false;
  }
  if (entry->node.size() == 0 || entry->node.size() > most) {
    Found(*entry, "a list of " + std::to_string(entry->node.size()), expected);
    return false;
  }
  std::vector<int64_t> values;
  for (const YAML::Node& item : entry->node) {
    int64_t value = 0;
    if (!item.IsScalar() || item.Tag() == "!" || !ParseNumber(item.Scalar(), &value) ||
        value < low || value > high) {
      Found(*entry, Describe(item) + " in the list", expected);
      return false;
    }
    values.push_back(value);
  }
  *out = std::move(values);
  return true;
}

bool Section::TextMap(std::string_view key, size_t most, const PairCheck& check,
                      std::map<std::string, std::string>* out) {
  const Entry* entry = Declare(key);
  notes_->KnowKey(PathOf(key) + ".*");
  if (entry == nullptr) return false;
  if (!entry->node.IsMap()) {
    Found(*entry, Describe(entry->node), "names and values, such as {team: vision}");
    return false;
  }
  if (entry->node.size() > most) {
    Found(*entry, base::CountText(static_cast<int64_t>(entry->node.size())) + " names",
          "at most " + std::to_string(most));
    return false;
  }
  Section below(entry->node, PathOf(key), entry->line, notes_);
  bool good = true;
  for (const Entry& pair : below.entries_) {
    std::string wrong;
    if (!pair.node.IsScalar()) {
      wrong = "found " + Describe(pair.node) + ", expected a text";
    } else {
      wrong = check(pair.key, pair.node.Scalar());
    }
    if (wrong.empty()) {
      (*out)[pair.key] = pair.node.Scalar();
    } else {
      const std::string path = below.PathOf(pair.key);
      notes_->Wrong(path, pair.line, below.path_ + ": " + wrong);
      good = false;
    }
  }
  return good;
}

bool Section::ChoiceIndex(std::string_view key, const std::vector<std::string>& names,
                          size_t* index, const std::string& also) {
  const std::string expected = (names.size() == 1 ? names[0] : "one of " + Joined(names)) + also;
  std::string text;
  if (!Scalar(key, expected, true, &text)) return false;
  const auto it = std::find(names.begin(), names.end(), text);
  if (it == names.end()) {
    Found(*Find(key), Quoted(text), expected,
          names.size() > 1 || !also.empty() ? base::DidYouMean(text, names) : "");
    return false;
  }
  *index = static_cast<size_t>(it - names.begin());
  return true;
}

void Section::Below(std::string_view key, const std::function<void(Section&)>& read) {
  const Entry* entry = Declare(key);
  if (entry != nullptr && !entry->node.IsMap()) {
    Found(*entry, Describe(entry->node), "a section with keys");
  }
  Section below(entry == nullptr ? YAML::Node() : entry->node, PathOf(key),
                entry == nullptr ? line_ : entry->line, notes_);
  read(below);
  below.Finish();
}

void Section::EachBelow(std::string_view key, size_t most,
                        const std::function<std::string(const std::string&)>& wrong,
                        const std::function<void(const std::string& name, Section&)>& read) {
  const Entry* entry = Declare(key);
  notes_->KnowKey(PathOf(key) + ".*");
  if (entry == nullptr) return;
  if (!entry->node.IsMap()) {
    return Found(*entry, Describe(entry->node), "names, each with a section of keys");
  }
  if (entry->node.size() > most) {
    return Found(*entry, std::to_string(entry->node.size()) + " names",
                 "at most " + std::to_string(most));
  }
  Section below(entry->node, PathOf(key), entry->line, notes_);
  for (const Entry& each : below.entries_) {
    const std::string path = below.PathOf(each.key);
    if (const std::string why = wrong(each.key); !why.empty()) {
      notes_->Wrong(path, each.line, path + ": " + why);
    } else if (!each.node.IsMap() && !each.node.IsNull()) {
      notes_->Wrong(path, each.line,
                    path + ": found " + Describe(each.node) + ", expected a section with keys");
    } else {
      Section section(each.node, path, each.line, notes_);
      read(each.key, section);
      section.Finish();
    }
  }
}

void Section::Require(std::string_view key, std::string_view expected) {
  if (!present_ || Has(key)) return;
  notes_->Wrong(PathOf(key), line_,
                "missing key '" + std::string(key) + "' " +
                    (path_.empty() ? "at the top of the file" : "in " + path_) + ": expected " +
                    std::string(expected));
}

void Section::Wrong(std::string_view key, std::string text) {
  WrongAt(PathOf(key), LineOfKey(key), text);
}

void Section::WrongBy(const std::string& other, std::string_view key, std::string text) {
  if (!IsWrong(other)) Wrong(key, std::move(text));
}

void Section::WrongAt(const std::string& path, uint32_t line, const std::string& text) {
  notes_->Wrong(path, line, path + ": " + text);
}

uint32_t Section::LineOfKey(std::string_view key) const {
  const Entry* entry = Find(key);
  return entry == nullptr ? line_ : entry->line;
}

void Section::Finish() {
  for (const Entry& entry : entries_) {
    if (std::find(declared_.begin(), declared_.end(), entry.key) == declared_.end()) {
      notes_->UnknownKey(path_, entry.key, entry.line, declared_);
    }
  }
}

}  // namespace coxswain::config
