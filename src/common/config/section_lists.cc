// The readers of lists of texts.
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
