// The order of names in lists for people.
#pragma once

#include <string_view>

namespace coxswain::base {

// Runs of digits by their value: "node-2" before "node-10". A strict weak order.
bool NameBefore(std::string_view a, std::string_view b);

}  // namespace coxswain::base
