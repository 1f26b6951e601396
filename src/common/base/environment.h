// The environment of this process as values; the one place that reads `environ` as a whole.
#pragma once

#include <map>
#include <string>

namespace coxswain::base {

// As it is now. Entries without '=' are left out; of two of one name the last one counts.
std::map<std::string, std::string> OwnEnvironment();

}  // namespace coxswain::base
