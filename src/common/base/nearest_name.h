// "Did you mean ...?"
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace coxswain::base {

// The candidate a person most likely meant by `found`: equal but for case, '_' and '-', or at a
// small edit distance, or a part of the name ("batch_size" for "global_batch_size"), or its
// initials ("lr"). Nothing when none is near. Ties: the first.
std::optional<std::string> NearestName(std::string_view found,
                                       std::span<const std::string> candidates);

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b);

// " (did you mean 'optimizer'?)", or empty.
std::string DidYouMean(std::string_view found, std::span<const std::string> candidates);

}  // namespace coxswain::base
