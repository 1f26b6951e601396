#include "common/base/nearest_name.h"

#include <algorithm>
#include <vector>

namespace coxswain::base {
namespace {

// Lower case, without the separators that people mix up.
std::string Folded(std::string_view name) {
  std::string folded;
  for (char c : name) {
    if (c == '_' || c == '-' || c == ' ') continue;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return folded;
}

std::string Initials(std::string_view name) {
  std::string initials;
  for (size_t i = 0; i < name.size(); ++i) {
    if (i == 0 || name[i - 1] == '_') initials += name[i];
  }
  return initials.size() >= 2 ? initials : "";
}

bool IsPartOf(std::string_view part, std::string_view name) {
  return part.size() >= 4 && name.find(part) != std::string_view::npos;
}

// "matrix" and "matrices".
bool BeginAlike(std::string_view a, std::string_view b) {
  const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto same = static_cast<size_t>(differ.first - a.begin());
  return same >= 5 && same + 1 >= a.size();
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::optional<std::string> NearestName(std::string_view found,
                                       std::span<const std::string> candidates) {
  if (found.empty() || found.size() > 100) return std::nullopt;
  const std::string folded = Folded(found);
  const std::string* nearest = nullptr;
  size_t nearest_distance = std::max<size_t>(1, folded.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(folded, Folded(candidate));
    if (distance < nearest_distance && distance < candidate.size()) {
      nearest = &candidate;
      nearest_distance = distance;
    }
  }
  if (nearest != nullptr) return *nearest;
  for (const std::string& candidate : candidates) {
    if (IsPartOf(folded, Folded(candidate)) || IsPartOf(Folded(candidate), folded) ||
        Initials(candidate) == folded || BeginAlike(folded, Folded(candidate))) {
      return candidate;
    }
  }
  return std::nullopt;
}

std::string DidYouMean(std::string_view found, std::span<const std::string> candidates) {
  const std::optional<std::string> nearest = NearestName(found, candidates);
  return nearest ? " (did you mean '" + *nearest + "'?)" : "";
}

}  // namespace coxswain::base
