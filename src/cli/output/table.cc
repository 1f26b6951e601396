#include "cli/output/table.h"

#include <algorithm>

namespace coxswain::cli::output {
namespace {

std::string Padding(size_t width, const std::string& text) {
  return std::string(width - std::min(width, DisplayWidth(text)), ' ');
}

}  // namespace

void Table::Add(std::vector<Cell> row) {
  for (Cell& cell : row) {
    cell.text = cell.text.empty() ? "-" : OneLine(cell.text);
  }
  rows_.push_back(std::move(row));
}

std::string Table::ToString(const Terminal& terminal) const {
  std::vector<size_t> widths;
  for (const std::string& heading : headings_) widths.push_back(DisplayWidth(heading));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
  }
  std::string text;
  for (size_t i = 0; i < headings_.size(); ++i) {
    const bool last = i + 1 == headings_.size();
    text += Paint(terminal, Colour::kBold, headings_[i]);
    text += last ? "\n" : Padding(widths[i] + 2, headings_[i]);
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += Paint(terminal, row[i].colour, row[i].text);
      text += i + 1 == row.size() ? "\n" : Padding(widths[i] + 2, row[i].text);
    }
  }
  return text;
}

std::string Fields::ToString(const Terminal& terminal) const {
  size_t width = 0;
  for (const auto& [name, value] : lines_) {
    if (!value.text.empty()) width = std::max(width, DisplayWidth(name) + 1);
  }
  std::string text;
  for (const auto& [name, value] : lines_) {
    if (value.text.empty()) continue;
    text += Paint(terminal, Colour::kBold, name + ":") + Padding(width + 1, name + ":") +
            Paint(terminal, value.colour, OneLine(value.text)) + "\n";
  }
  return text;
}

Colour ColourOfState(const std::string& state) {
  for (const char* good : {"COMPLETED", "READY", "VERIFIED"}) {
    if (state == good) return Colour::kGreen;
  }
  for (const char* going : {"RUNNING", "COMMITTED"}) {
    if (state == going) return Colour::kCyan;
  }
  for (const char* waiting : {"PENDING", "RECOVERING", "CORDONED", "DRAINING", "DRAINED",
                              "CANCELLED", "STARTING", "OPEN", "PREEMPTED"}) {
    if (state == waiting) return Colour::kYellow;
  }
  for (const char* bad :
       {"FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "UNREACHABLE", "CORRUPT"}) {
    if (state == bad) return Colour::kRed;
  }
  return Colour::kNone;
}

}  // namespace coxswain::cli::output
