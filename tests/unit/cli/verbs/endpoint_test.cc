#include "cli/local/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace coxswain::cli::local {
namespace {

// A state folder of its own, with no variables set.
class EndpointTest : public testing::Test {
 protected:
  EndpointTest() {
    std::string pattern = testing::TempDir() + "cox-endpoint-XXXXXX";
    root_ = mkdtemp(pattern.data());
    setenv("XDG_STATE_HOME", root_.c_str(), 1);
    unsetenv("COX_SERVER");
    unsetenv("COX_TOKEN");
  }
  ~EndpointTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& program, const std::string& api, int64_t pid) {
    const std::string dir = root_.string() + "/coxswain/" + program;
    std::filesystem::create_directories(dir);
    std::ofstream(dir + "/token") << "token-of-" << api << "\n";
    std::ofstream(dir + "/endpoint")
        << R"({"api":")" << api << R"(","worker":"w","http":"h","token_file":")" << dir
        << R"(/token","cluster_id":"c","pid":)" << pid << "}";
  }

  std::filesystem::path root_;
};

TEST_F(EndpointTest, WithoutAnythingTheDefaultAddress) {
  const auto found = FindServer("", "");
  EXPECT_EQ(found->address, "127.0.0.1:7070");
  EXPECT_EQ(found->token, "");
}

TEST_F(EndpointTest, ACoordinatorOfThisUserIsFoundWithItsToken) {
  Write("coordinator", "127.0.0.1:4000", getpid());
  const auto found = FindServer("", "");
  EXPECT_EQ(found->address, "127.0.0.1:4000");
  EXPECT_EQ(found->token, "token-of-127.0.0.1:4000");
}

TEST_F(EndpointTest, OneThatHasEndedIsPassedOverForThatOfCoxRun) {
  Write("coordinator", "127.0.0.1:4000", 0x7ffffff0);
  Write("run/coordinator", "127.0.0.1:5000", getpid());
  EXPECT_EQ(FindServer("", "")->address, "127.0.0.1:5000");
}

TEST_F(EndpointTest, FlagsWinOverVariablesOverFiles) {
  Write("coordinator", "127.0.0.1:4000", getpid());
  setenv("COX_SERVER", "10.0.0.1:7070", 1);
  setenv("COX_TOKEN", "from-variable", 1);
  EXPECT_EQ(FindServer("", "")->address, "10.0.0.1:7070");
  EXPECT_EQ(FindServer("", "")->token, "from-variable");
  std::ofstream(root_ / "t") << "from-file\n";
  EXPECT_EQ(FindServer("10.0.0.2:1", root_ / "t")->address, "10.0.0.2:1");
  EXPECT_EQ(FindServer("10.0.0.2:1", root_ / "t")->token, "from-file");
}

TEST_F(EndpointTest, EmptyVariablesCountAsNotSet) {
  Write("coordinator", "127.0.0.1:4000", getpid());
  setenv("COX_SERVER", "", 1);
  setenv("COX_TOKEN", "", 1);
  EXPECT_EQ(FindServer("", "")->token, "token-of-127.0.0.1:4000");
}

TEST_F(EndpointTest, ATokenFileThatIsNotThereIsNamed) {
  EXPECT_THAT(std::string(FindServer("", "/nowhere/token").status().message()),
              testing::HasSubstr("/nowhere/token: No such file"));
}

TEST(WrongAddress, SaysWhatWasExpectedAndWhatWasMeant) {
  for (const char* good : {"127.0.0.1:7070", "node1:1", "[::1]:7070", "unix:/run/cox.sock"}) {
    EXPECT_EQ(WrongAddress(good), "") << good;
  }
  EXPECT_EQ(
      WrongAddress("http://127.0.0.1:7070/"),
      "found \"http://127.0.0.1:7070/\", expected HOST:PORT with a port from 1 to 65535, such "
      "as 127.0.0.1:7070 (did you mean 127.0.0.1:7070?)");
  EXPECT_THAT(WrongAddress("nohost"), testing::HasSubstr("(did you mean nohost:7070?)"));
  EXPECT_THAT(WrongAddress("127.0.0.1:99999"), testing::EndsWith("such as 127.0.0.1:7070"));
  EXPECT_NE(WrongAddress("127.0.0.1:0"), "");
  EXPECT_NE(WrongAddress(":7070"), "");
}

TEST_F(EndpointTest, BrokenEndpointFilesAreNoEndpoints) {
  Write("coordinator", "127.0.0.1:4000", getpid());
  const std::string dir = root_.string() + "/coxswain/coordinator";
  for (const char* text : {"", "{", "[]", R"({"api":1,"pid":1})", R"({"api":"x"})"}) {
    std::ofstream(dir + "/endpoint") << text;
    EXPECT_FALSE(ReadEndpoint(dir)) << text;
  }
}

}  // namespace
}  // namespace coxswain::cli::local
