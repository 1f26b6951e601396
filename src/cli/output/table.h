// Rows under headings, columns as wide as their widest cell.
#pragma once

#include <string>
#include <vector>

#include "cli/output/console.h"

namespace coxswain::cli::output {

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
  Cell(std::string t, Colour c = Colour::kNone) : text(std::move(t)), colour(c) {}  // NOLINT
  Cell(const char* t) : text(t) {}                                                  // NOLINT
};

class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  // As many cells as there are headings. A text that is not harmless is made so; an empty one is
  // "-".
  void Add(std::vector<Cell> row);
  // Every line ends in '\n' and has no trailing spaces.
  std::string ToString(const Terminal& terminal) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

// "name:   value" lines for one thing, values aligned; lines with an empty value are left out.
class Fields {
 public:
  void Add(std::string name, Cell value) { lines_.push_back({std::move(name), std::move(value)}); }
  std::string ToString(const Terminal& terminal) const;

 private:
  std::vector<std::pair<std::string, Cell>> lines_;
};

// The colour in which a job's, node's, rank's or checkpoint's state is shown.
Colour ColourOfState(const std::string& state);

}  // namespace coxswain::cli::output
