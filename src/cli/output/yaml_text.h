// JSON as YAML, keys in the order given.
#pragma once

#include <string>
#include <string_view>

namespace coxswain::cli::output {

// `json` must be valid JSON. Texts with line ends become literal blocks, others are quoted when
// YAML would read them as something else.
std::string YamlFromJson(std::string_view json);

// The same JSON, indented by two spaces.
std::string PrettyJson(std::string_view json);

}  // namespace coxswain::cli::output
