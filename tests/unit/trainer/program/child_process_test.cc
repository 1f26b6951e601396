#include "trainer/program/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace coxswain::trainer::program {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ChildProcess> Shell(const std::string& text,
                                   std::vector<std::string> environment = {}) {
  return ChildProcess::Start({{"/bin/sh", "-c", text}, std::move(environment), "/"});
}
ChildEnd EndOf(ChildProcess& child) { return child.Wait(base::seconds(20)).value(); }

TEST(ChildProcess, CodeAndSignalAreTold) {
  auto code = Shell("exit 7");
  EXPECT_EQ(EndOf(*code).code, 7);
  auto signal = Shell("kill -SEGV $$");
  EXPECT_EQ(EndOf(*signal).signal, SIGSEGV);
}

TEST(ChildProcess, HasItsEnvironmentItsFolderAndNoBlockedSignal) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &before);
  auto child = Shell(
      "test \"$A\" = 'b c' && test \"$PWD\" = / && test -z \"$HOME\" && kill -TERM $$", {"A=b c"});
  sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(EndOf(*child).signal, SIGTERM);
}

TEST(ChildProcess, WhatItHasStarted_IsItsGroup) {
  auto child = Shell("sleep 100 & exit 0");
  EXPECT_EQ(EndOf(*child).code, 0);
  EXPECT_TRUE(child->GroupLives());
  child->SignalGroup(SIGKILL);
}

TEST(ChildProcess, WhatCannotBeStarted_IsNamed) {
  auto missing = ChildProcess::Start({{"no-such-program", "x"}, {}, "/"});
  EXPECT_THAT(
      std::string(missing.status().message()),
      HasSubstr("spec.command: cannot start 'no-such-program' in /: there is no such program"));
  auto folder = ChildProcess::Start({{"/bin/true"}, {}, "/no/such/folder"});
  EXPECT_THAT(std::string(folder.status().message()),
              HasSubstr("spec.working_dir: cannot enter /no/such/folder: No such file"));
  auto no_program = ChildProcess::Start({{"/etc"}, {}, "/"});
  EXPECT_THAT(std::string(no_program.status().message()), HasSubstr("is it executable?"));
}

}  // namespace
}  // namespace coxswain::trainer::program
