#include "cli/output/progress_line.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace coxswain::cli::output {
namespace {

using std::chrono::seconds;
using Clock = ProgressLine::Clock;

// What a ProgressLine writes.
class Written {
 public:
  Written() : file_(open_memstream(&text_, &size_)) {}
  ~Written() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return std::string(text_, size_);
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

TEST(ProgressLine, TerminalLineIsRewrittenAndCut) {
  Written out;
  {
    ProgressLine line(out.file(), {.tty = true, .columns = 8});
    line.Show("step 1 of many");
    line.Show("step 2");
    line.Say("epoch 1 done");
  }
  EXPECT_EQ(out.text(), "\rstep 1 \033[K\rstep 2\033[K\r\033[Kepoch 1 done\nstep 2\033[K\r\033[K");
}

TEST(ProgressLine, ElsewhereALineEverySomeSecondsAndTheLast) {
  Written out;
  {
    ProgressLine line(out.file(), {.tty = false}, seconds(5));
    const Clock::time_point start = Clock::now();
    line.Show("step 1", start);
    line.Show("step 2", start + seconds(1));
    line.Show("step 3", start + seconds(5));
    line.Show("step 4", start + seconds(6));
  }
  EXPECT_EQ(out.text(), "step 1\nstep 3\nstep 4\n");
}

TEST(ProgressLine, ElsewhereTheSameTextIsWrittenOnce) {
  Written out;
  {
    ProgressLine line(out.file(), {.tty = false}, seconds(5));
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < 10; ++i) line.Show("waiting", start + seconds(5 * i));
    line.Say("running");
  }
  EXPECT_EQ(out.text(), "waiting\nrunning\n");
}

}  // namespace
}  // namespace coxswain::cli::output
