// Where output goes, and what that place can show.
#pragma once

#include <string>
#include <string_view>

namespace coxswain::cli::output {

enum class Colour { kNone, kRed, kGreen, kYellow, kCyan, kDim, kBold };

struct Terminal {
  bool tty = false;      // a person watches: lines may be rewritten
  bool colour = false;   // tty, NO_COLOR not set, TERM not "dumb"
  bool unicode = false;  // the locale is UTF-8
  int columns = 80;
};

// Of descriptor 1 or 2 of this process. Reads NO_COLOR, TERM, COLUMNS, LC_ALL, LC_CTYPE and LANG.
Terminal DetectTerminal(int fd);

// The text in this colour, or as it is where the terminal shows none.
std::string Paint(const Terminal& terminal, Colour colour, std::string_view text);

// What came from a peer or a job, safe for a terminal: control characters (C0, DEL, and C1 as UTF-8
// has them), marks that turn the direction of writing or end a line, and bytes that are no valid
// UTF-8 become '?'; newlines and tabs stay.
std::string Harmless(std::string_view text);
// Likewise for what has to stay on one line, so that no text can look like a second one: newlines
// and tabs become visible as \n and \t.
std::string OneLine(std::string_view text);

// Columns that a UTF-8 text takes (code points; no wide characters are expected).
size_t DisplayWidth(std::string_view text);

}  // namespace coxswain::cli::output
