#include "common/base/environment.h"

#include <unistd.h>

#include <string_view>

namespace coxswain::base {

std::map<std::string, std::string> OwnEnvironment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == text.npos) continue;
    all[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  return all;
}

}  // namespace coxswain::base
