// One mistake in a file that a person wrote, as one line for that person.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace coxswain::config {

// "job.yaml:14: unknown key 'optimiser' in spec.train (did you mean 'optimizer'?)". A mistake made
// on the command line has the flag as its `file`: "--set spec.trian.epochs=3: unknown key ...".
struct Mistake {
  std::string file;
  uint32_t line = 0;  // 1-based; 0: the whole file
  std::string key;    // "spec.train.optimizer"
  std::string text;   // found, expected, nearest name
  std::string ToString() const;
  friend bool operator==(const Mistake&, const Mistake&) = default;
};

// All of them, one a line, each line ended by '\n'.
std::string ToString(const std::vector<Mistake>& mistakes);

}  // namespace coxswain::config
