#include "cli/output/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "common/base/utf8.h"

namespace coxswain::cli::output {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsUtf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = Variable(name);
    if (value.empty()) continue;
    for (const char* mark : {"UTF-8", "utf-8", "UTF8", "utf8"}) {
      if (value.find(mark) != std::string::npos) return true;
    }
    return false;
  }
  return false;
}

const char* Code(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kRed:
      return "\033[31m";
    case Colour::kGreen:
      return "\033[32m";
    case Colour::kYellow:
      return "\033[33m";
    case Colour::kCyan:
      return "\033[36m";
    case Colour::kDim:
      return "\033[2m";
    case Colour::kBold:
      return "\033[1m";
  }
  return "";
}

// Of one valid character.
bool IsControl(std::string_view c) {
  const auto last = static_cast<unsigned char>(c.back());
  if (c.size() == 1) return last < 0x20 || last == 0x7f;
  return base::StartsWithC1(c) || base::StartsWithHidden(c);
}

}  // namespace

Terminal DetectTerminal(int fd) {
  Terminal out;
  out.unicode = IsUtf8Locale();
  const std::string columns = Variable("COLUMNS");
  if (!columns.empty()) out.columns = std::atoi(columns.c_str());
  out.tty = isatty(fd) == 1;
  if (out.tty) {
    winsize size{};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) out.columns = size.ws_col;
    out.colour = Variable("NO_COLOR").empty() && Variable("TERM") != "dumb";
    if (Variable("TERM") == "dumb") out.tty = false;
  }
  if (out.columns < 20) out.columns = 80;
  return out;
}

std::string Paint(const Terminal& terminal, Colour colour, std::string_view text) {
  if (!terminal.colour || colour == Colour::kNone) return std::string(text);
  return Code(colour) + std::string(text) + "\033[0m";
}

std::string Harmless(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = base::Utf8Length(text.substr(at));
    const std::string_view character = text.substr(at, std::max<size_t>(1, length));
    const bool space = character == "\n" || character == "\t";
    if (length == 0 || (IsControl(character) && !space)) {
      out += '?';
    } else {
      out += character;
    }
    at += character.size();
  }
  return out;
}

std::string OneLine(std::string_view text) {
  std::string out;
  for (char c : Harmless(text)) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (char c : text) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return width;
}

}  // namespace coxswain::cli::output
