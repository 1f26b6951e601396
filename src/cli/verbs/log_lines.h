// A job's log as lines, each with a mark of whose it is.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "cli/output/console.h"
#include "cli/rpc/api.h"
#include "cli/rpc/client.h"

namespace coxswain::cli::verbs {

// "[0] " before a line of rank 0's stdout, "[0 err] " before one of its stderr; no marks without
// `mark_ranks`, and no " err" without `mark_streams`. One thread.
class LogLines {
 public:
  // `print` gets whole lines, each with its '\n'.
  using Print = std::function<void(const std::string& lines)>;
  LogLines(const output::Terminal& terminal, bool mark_ranks, bool mark_streams, Print print)
      : terminal_(terminal),
        mark_ranks_(mark_ranks),
        mark_streams_(mark_streams),
        print_(std::move(print)) {}
  ~LogLines();  // prints what had no end yet

  void Take(const rpc::LogChunk& chunk);

 private:
  using Key = std::pair<uint32_t, bool>;

  void Tell(const Key& key, std::string* rest, bool last);
  std::string Line(const Key& key, const std::string& line) const;

  const output::Terminal terminal_;
  const bool mark_ranks_, mark_streams_;
  const Print print_;
  std::map<Key, std::string> rests_;
};

}  // namespace coxswain::cli::verbs
