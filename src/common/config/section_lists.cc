// The readers of lists of texts and of numbers.
#include <charconv>

#include "common/config/quantities.h"
#include "common/config/section.h"

namespace coxswain::config {

bool Section::TextList(std::string_view key, size_t most, std::string_view expected,
                       std::vector<std::string>* out) {
  const Entry* entry = Declare(key);
  if (entry == nullptr) return false;
  if (!entry->node.IsSequence() || entry->node.size() > most) {
    Found(*entry, Describe(entry->node), expected);
    return false;
  }
  std::vector<std::string> values;
  for (const YAML::Node& item : entry->node) {
    if (!item.IsScalar() || item.Scalar().empty() ||
        FindBadByte(item.Scalar()) != std::string::npos) {
      Found(*entry, Describe(item) + " in the list", expected);
      return false;
    }
    values.push_back(item.Scalar());
  }
  *out = std::move(values);
  return true;
}

bool Section::IsList(std::string_view key) const {
  const Entry* entry = Find(key);
  return entry != nullptr && entry->node.IsSequence();
}

bool Section::RealList(std::string_view key, RealRange range, size_t most,
                       std::vector<double>* out) {
  const Entry* entry = Declare(key);
  if (entry == nullptr) return false;
  const std::string expected = "a list of numbers, such as [1, 2.5]";
  if (!entry->node.IsSequence() || entry->node.size() == 0 || entry->node.size() > most) {
    Found(*entry, Describe(entry->node), expected);
    return false;
  }
  std::vector<double> values;
  for (const YAML::Node& item : entry->node) {
    double value = 0;
    const std::string text = item.IsScalar() && item.Tag() != "!" ? item.Scalar() : "";
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = !text.empty() && error == std::errc() && stop == text.data() + text.size();
    if (!number || !(value >= range.low && value <= range.high)) {
      Found(*entry, Describe(item) + " in the list", expected);
      return false;
    }
    values.push_back(value);
  }
  *out = std::move(values);
  return true;
}

bool Section::Command(std::string_view key, size_t most, std::string_view expected,
                      std::vector<std::string>* out) {
  const Entry* entry = Declare(key);
  if (entry == nullptr) return false;
  const YAML::Node& node = entry->node;
  const auto wrong = [](const YAML::Node& item) {
    return !item.IsScalar() || FindBadByte(item.Scalar(), "\n\t\r") != std::string::npos;
  };
  std::vector<std::string> values;
  if (node.IsScalar() && !node.Scalar().empty() && !wrong(node)) {
    values = {"/bin/sh", "-c", node.Scalar()};
  } else if (node.IsSequence() && node.size() > 0 && node.size() <= most) {
    for (const YAML::Node& item : node) {
      if (wrong(item) || (values.empty() && item.Scalar().empty())) {
        Found(*entry, Describe(item) + " in the list", expected);
        return false;
      }
      values.push_back(item.Scalar());
    }
  } else {
    Found(*entry, Describe(node), expected);
    return false;
  }
  *out = std::move(values);
  return true;
}

}  // namespace coxswain::config
