#include "common/config/mistake.h"

namespace coxswain::config {

std::string Mistake::ToString() const {
  return file + (line == 0 ? "" : ":" + std::to_string(line)) + ": " + text;
}

std::string ToString(const std::vector<Mistake>& mistakes) {
  std::string text;
  for (const Mistake& mistake : mistakes) text += mistake.ToString() + "\n";
  return text;
}

}  // namespace coxswain::config
