#include "trainer/runtime/torch_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

namespace coxswain::trainer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class TorchPlace : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/torch_place_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  // A package torch below `prefix`, or of that very folder.
  fs::path Install(const std::string& prefix, const std::string& version = "2.11.0+cu130") {
    const fs::path folder = root_ / prefix;
    fs::create_directories(folder / "lib");
    std::ofstream(folder / "lib" / "libtorch_cpu.so") << "x";
    std::ofstream(folder / "version.py")
        << "from typing import Optional\n\n__version__ = '" << version << "'\ndebug = False\n";
    return folder;
  }

  absl::StatusOr<fs::path> Find() {
    return FindTorch(
        [this](const char* name) {
          auto found = environment_.find(name);
          return found == environment_.end() ? nullptr : found->second.c_str();
        },
        root_);
  }

  fs::path root_;
  std::map<std::string, std::string> environment_;
};

TEST_F(TorchPlace, IsTheFirstOfTheRightRelease) {
  const fs::path system = Install("usr/lib/python3/dist-packages/torch", "2.11.0");
  EXPECT_EQ(*Find(), system);
  Install("usr/local/lib/python3.9/dist-packages/torch", "2.4.1");
  const fs::path local = Install("usr/local/lib/python3.12/dist-packages/torch");
  EXPECT_EQ(*Find(), local);
  const fs::path home = Install("home/.local/lib/python3.11/site-packages/torch");
  environment_["HOME"] = root_ / "home";
  EXPECT_EQ(*Find(), home);
  // A python3 of the path, through a link.
  const fs::path opt = Install("opt/py/lib/python3.12/site-packages/torch");
  fs::create_directories(root_ / "opt/py/bin");
  fs::create_directories(root_ / "bin");
  std::ofstream(root_ / "opt/py/bin/python3.12") << "x";
  fs::create_symlink(root_ / "opt/py/bin/python3.12", root_ / "bin/python3");
  environment_["PATH"] = "/nowhere::" + (root_ / "bin").string();
  EXPECT_EQ(*Find(), fs::canonical(root_) / "opt/py/lib/python3.12/site-packages/torch");
  const fs::path env = Install("venv/lib/python3.10/site-packages/torch");
  environment_["VIRTUAL_ENV"] = root_ / "venv";
  EXPECT_EQ(*Find(), env);
  const fs::path named = Install("torch");
  environment_["COXSWAIN_TORCH"] = named;
  EXPECT_EQ(*Find(), named);
}

TEST_F(TorchPlace, WhatIsMissingIsSaid) {
  environment_["HOME"] = root_ / "home";
  EXPECT_THAT(std::string(Find().status().message()),
              AllOf(HasSubstr("LibTorch 2.11.0 is not on this machine: install it with pip"),
                    HasSubstr("pip install torch==2.11.0"), HasSubstr("COXSWAIN_TORCH"),
                    HasSubstr((root_ / "home/.local").string())));
  const fs::path old = Install("home/.local/lib/python3.11/site-packages/torch", "2.9.1+cpu");
  EXPECT_THAT(std::string(Find().status().message()),
              HasSubstr("; found 2.9.1+cpu at " + old.string()));
  environment_["COXSWAIN_TORCH"] = old;
  EXPECT_THAT(std::string(Find().status().message()),
              AllOf(HasSubstr("COXSWAIN_TORCH: found LibTorch 2.9.1+cpu at"),
                    HasSubstr("expected 2.11.0")));
  environment_["COXSWAIN_TORCH"] = root_;
  EXPECT_EQ(Find().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Find().status().message()), HasSubstr("has no lib/libtorch_cpu.so"));
}

}  // namespace
}  // namespace coxswain::trainer
