#include <algorithm>
#include <sstream>

#include "tests/scenario/coordinator/core_script.h"

namespace coxswain::scenario {

bool Arguments::Has(const std::string& word) const {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string Arguments::Text(const std::string& key, const std::string& otherwise) const {
  auto found = values.find(key);
  return found == values.end() ? otherwise : found->second;
}

int64_t Arguments::Number(const std::string& key, int64_t otherwise) const {
  auto found = values.find(key);
  return found == values.end() ? otherwise : std::stoll(found->second);
}

base::Duration Arguments::Length(const std::string& key, base::Duration otherwise) const {
  auto found = values.find(key);
  return found == values.end() ? otherwise : ParseLength(found->second);
}

std::string Arguments::Rest(size_t from) const {
  std::string out;
  for (size_t i = from; i < words.size(); ++i) out += (i > from ? " " : "") + words[i];
  return out;
}

Arguments TakeApart(const std::string& line) {
  Arguments out;
  std::istringstream in(line);
  std::string word;
  while (in >> word) {
    size_t equals = word.find('=');
    if (equals == std::string::npos) {
      out.words.push_back(word);
    } else {
      out.values[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return out;
}

base::Duration ParseLength(const std::string& text) {
  size_t end = 0;
  int64_t number = std::stoll(text, &end);
  return text.substr(end) == "ms" ? base::Duration(number * 1000)
                                  : base::Duration(number * 1'000'000);
}

}  // namespace coxswain::scenario
