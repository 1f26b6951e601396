// The life of one rank: start it, keep its output, end its whole process tree, write how it ended.
// One thread; everything it waits for is in one poll().
#pragma once

#include <poll.h>
#include <sys/resource.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/shim_protocol.h"
#include "shim/child.h"
#include "shim/control_socket.h"
#include "shim/log_pump.h"

namespace coxswain::shim {

struct ShimOptions {
  std::string folder;                  // the rank's; becomes the current folder
  std::vector<std::string> program;    // path, arguments
  int control_fd = -1;                 // a connected socket of the worker that starts this shim
  int lifeline_fd = -1;                // the rank ends when this pipe's other end is closed
  uint64_t log_file_bytes = 64 << 20;  // of each of the two streams
  uint32_t log_files = 4;
  base::Duration grace = base::seconds(10);  // when the lifeline ends, or on SIGTERM
};

class ShimLoop {
 public:
  explicit ShimLoop(ShimOptions options);

  // Returns the exit status of this process: 0 once the record is written or was taken.
  int Run();

 private:
  bool Prepare();  // folder, signals, subreaper; false: nothing can be done here
  void Start();
  void Step();
  std::vector<pollfd> Polls() const;
  int PollTimeoutMs() const;
  void TakeSignals();
  void TakeExec();
  void TakeCommands(const std::vector<pollfd>& polls);
  void Obey(const ControlSocket::Line& line);
  void Stop(base::Duration grace);
  void CheckTimers();
  void Reap();
  void Pump(int& fd, LogPump& log, bool to_the_end);
  void EndTree();
  void WriteRecord();
  std::string State() const;
  std::string CouldNotStart(const std::string& why) const;

  const ShimOptions options_;
  ControlSocket control_;
  std::optional<LogPump> out_, err_;
  Child child_;
  int signals_ = -1;
  int lifeline_ = -1;
  bool running_ = false;  // exec has succeeded
  bool reaped_ = false;   // the first process has ended
  bool recorded_ = false, released_ = false;
  uint64_t start_ticks_ = 0;
  uint64_t oom_kills_before_ = 0;
  bool stopping_ = false;
  std::optional<base::Time> kill_at_;  // end of the grace
  base::Time tree_deadline_{};         // no longer waits for processes that cannot be killed
  base::Time next_try_{};              // of a timed repetition, while the rank is ending
  base::ShimExit exit_;
};

}  // namespace coxswain::shim
