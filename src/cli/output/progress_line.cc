#include "cli/output/progress_line.h"

namespace coxswain::cli::output {
namespace {

std::string Cut(const std::string& text, size_t columns) {
  size_t width = 0, at = 0;
  while (at < text.size() && width < columns) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
    ++width;
  }
  return text.substr(0, at);
}

}  // namespace

ProgressLine::ProgressLine(std::FILE* out, Terminal terminal, Clock::duration interval)
    : out_(out), terminal_(terminal), interval_(interval) {}

ProgressLine::~ProgressLine() { Finish(); }

void ProgressLine::Show(const std::string& text, Clock::time_point now) {
  const std::string safe = OneLine(text);
  if (terminal_.tty) {
    const std::string cut = Cut(safe, static_cast<size_t>(terminal_.columns - 1));
    if (cut == shown_) return;
    std::fprintf(out_, "\r%s\033[K", cut.c_str());
    shown_ = cut;
  } else if (safe == shown_) {
    pending_.clear();  // a log needs no line that says what the last one said
  } else if (now >= next_) {
    std::fprintf(out_, "%s\n", safe.c_str());
    next_ = now + interval_;
    shown_ = safe;
    pending_.clear();
  } else {
    pending_ = safe;
  }
  std::fflush(out_);
}

void ProgressLine::Say(const std::string& text) {
  const std::string again = terminal_.tty ? shown_ : "";
  Erase();
  std::fprintf(out_, "%s\n", text.c_str());
  if (!again.empty()) {
    std::fprintf(out_, "%s\033[K", again.c_str());
    shown_ = again;
  }
  std::fflush(out_);
}

void ProgressLine::Erase() {
  if (shown_.empty() || !terminal_.tty) return;
  std::fprintf(out_, "\r\033[K");
  shown_.clear();
}

void ProgressLine::Finish() {
  Erase();
  if (!pending_.empty()) std::fprintf(out_, "%s\n", pending_.c_str());
  pending_.clear();
  std::fflush(out_);
}

}  // namespace coxswain::cli::output
