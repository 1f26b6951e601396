// The line that shows what goes on. On a terminal it is rewritten in place; elsewhere a line is
// written every few seconds. One thread.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "cli/output/console.h"

namespace coxswain::cli::output {

class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;
  // `out` stays the caller's. `interval`: between two lines where there is no terminal.
  ProgressLine(std::FILE* out, Terminal terminal,
               Clock::duration interval = std::chrono::seconds(5));
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Shows this text, cut to the terminal's width.
  void Show(const std::string& text, Clock::time_point now = Clock::now());
  // Writes lines that stay, above the progress line.
  void Say(const std::string& text);
  // Takes the progress line away; where there is no terminal, writes the last text if it was held
  // back.
  void Finish();

 private:
  void Erase();

  std::FILE* out_;
  const Terminal terminal_;
  const Clock::duration interval_;
  Clock::time_point next_{};
  std::string shown_;    // on the terminal now; elsewhere: the last line written
  std::string pending_;  // not yet written elsewhere
};

}  // namespace coxswain::cli::output
