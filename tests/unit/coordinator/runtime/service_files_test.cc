#include "coordinator/runtime/service_files.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace coxswain::coordinator::runtime {
namespace {

class ServiceFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "cox-files-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static unsigned ModeOf(const std::string& path) {
    struct stat found {};
    stat(path.c_str(), &found);
    return found.st_mode & 0777;
  }
  std::string folder_;
};

TEST_F(ServiceFiles, DataDir_IsClosedToOthers) {
  std::string fresh = folder_ + "/a/b";
  ASSERT_TRUE(MakeDataDir(fresh).ok());
  EXPECT_EQ(ModeOf(fresh), 0700u);
  chmod(fresh.c_str(), 0755);
  ASSERT_TRUE(MakeDataDir(fresh).ok());
  EXPECT_EQ(ModeOf(fresh), 0700u);
  std::ofstream(folder_ + "/file") << "x";
  EXPECT_EQ(MakeDataDir(folder_ + "/file").message(),
            folder_ + "/file is not a directory: choose another --data-dir");
}

TEST_F(ServiceFiles, StateThatWasEmptied_IsNotTakenForNew) {
  EXPECT_TRUE(CheckStateNotEmptied(folder_).ok());
  std::ofstream(folder_ + "/state.db");  // a first start that was cut off
  EXPECT_TRUE(CheckStateNotEmptied(folder_).ok());
  std::ofstream(folder_ + "/metrics.db") << "x";
  EXPECT_EQ(CheckStateNotEmptied(folder_).message(),
            folder_ +
                "/state.db is empty, but this coordinator has run before: restore it from a "
                "backup, or move it and metrics.db away to start with an empty one");
  std::ofstream(folder_ + "/state.db") << "x";
  EXPECT_TRUE(CheckStateNotEmptied(folder_).ok());
}

TEST_F(ServiceFiles, Endpoint_IsWholeAndPrivate) {
  ASSERT_TRUE(
      WriteEndpoint(folder_, {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "/t", "c"}).ok());
  std::stringstream text;
  text << std::ifstream(folder_ + "/endpoint").rdbuf();
  EXPECT_EQ(text.str(),
            "{\"api\":\"127.0.0.1:1\",\"cluster_id\":\"c\",\"http\":\"127.0.0.1:3\","
            "\"pid\":" +
                std::to_string(getpid()) + ",\"token_file\":\"/t\",\"worker\":\"127.0.0.1:2\"}\n");
  EXPECT_EQ(ModeOf(folder_ + "/endpoint"), 0600u);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/endpoint.new"));
  RemoveEndpoint(folder_);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/endpoint"));
  EXPECT_FALSE(WriteEndpoint(folder_ + "/none", {}).ok());
}

TEST_F(ServiceFiles, Systemd_IsTold) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = folder_ + "/notify";
  std::memcpy(address.sun_path, path.c_str(), path.size());
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  NotifySystemd("READY=1");
  unsetenv("NOTIFY_SOCKET");
  char text[32] = {};
  EXPECT_EQ(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
  EXPECT_STREQ(text, "READY=1");
  close(fd);
  NotifySystemd("READY=1");  // nobody asked: nothing happens
}

}  // namespace
}  // namespace coxswain::coordinator::runtime
