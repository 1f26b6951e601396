#include "cli/verbs/log_lines.h"

namespace coxswain::cli::verbs {

LogLines::~LogLines() {
  for (auto& [key, rest] : rests_) Tell(key, &rest, true);
}

void LogLines::Take(const rpc::LogChunk& chunk) {
  const Key key{chunk.rank, chunk.is_stderr};
  std::string& rest = rests_[key];
  rest += chunk.data;
  Tell(key, &rest, false);
}

void LogLines::Tell(const Key& key, std::string* rest, bool last) {
  size_t begin = 0;
  std::string text;
  for (size_t end; (end = rest->find('\n', begin)) != std::string::npos; begin = end + 1) {
    text += Line(key, rest->substr(begin, end - begin));
  }
  rest->erase(0, begin);
  if (last && !rest->empty()) text += Line(key, *rest);
  if (!text.empty()) print_(text);
}

std::string LogLines::Line(const Key& key, const std::string& line) const {
  std::string mark;
  if (mark_ranks_) {
    mark = "[" + std::to_string(key.first) + (mark_streams_ && key.second ? " err] " : "] ");
  }
  // Only a terminal needs protection; a file gets the bytes as they were.
  return output::Paint(terminal_, output::Colour::kDim, mark) +
         (terminal_.tty ? output::Harmless(line) : line) + "\n";
}

}  // namespace coxswain::cli::verbs
