#include "common/rpc/token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace coxswain::rpc {
namespace {

class Token : public testing::Test {
 protected:
  Token() {
    std::string name = (std::filesystem::temp_directory_path() / "cox-token-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Token() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(Token, MadeOnce_IsHexInAClosedFileAndStays) {
  std::string path = folder_ / "token";
  auto token = MakeOrReadToken(path);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->size(), 64u);
  EXPECT_EQ(token->find_first_not_of("0123456789abcdef"), std::string::npos);
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(*MakeOrReadToken(path), *token);
  EXPECT_EQ(*ReadToken(path), *token);
  auto files = std::filesystem::directory_iterator(folder_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);  // no draft is left
}

TEST_F(Token, ManyMakersAtOnce_AllGetTheSame) {
  std::string path = folder_ / "token";
  std::vector<std::string> got(8);
  std::vector<std::thread> threads;
  for (auto& text : got) threads.emplace_back([&] { text = MakeOrReadToken(path).value_or(""); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), 1u);
  EXPECT_EQ(got[0].size(), 64u);
}

TEST_F(Token, UnusableFiles_AreNamedWithoutTheirContent) {
  std::string path = folder_ / "token";
  EXPECT_TRUE(absl::IsNotFound(ReadToken(path).status()));
  std::ofstream(path) << "  \n";
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadToken(path).status()));
  std::ofstream(path) << "two words";
  auto status = ReadToken(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_NE(std::string(status.message()).find(path), std::string::npos);
  EXPECT_EQ(std::string(status.message()).find("two words"), std::string::npos);
  std::ofstream(path) << "word\r\n";
  EXPECT_EQ(*ReadToken(path), "word");
  EXPECT_FALSE(MakeOrReadToken(folder_ / "none" / "token").ok());
}

TEST(CheckTokenText, NamesThePlaceAndWhatIsWrong_NeverTheToken) {
  EXPECT_TRUE(CheckTokenText("", "COX_TOKEN").ok());
  EXPECT_TRUE(CheckTokenText("a!~9", "COX_TOKEN").ok());
  const auto said = [](const std::string& token) {
    const absl::Status status = CheckTokenText(token, "COX_TOKEN");
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(said("abc\r"),
            "the token in COX_TOKEN holds a control character (byte 4), expected one word of "
            "printable ASCII");
  EXPECT_NE(said("a\x7f").find("control character (byte 2)"), std::string::npos);
  EXPECT_NE(said("\xc3\xbc").find("not ASCII (byte 1)"), std::string::npos);
  EXPECT_NE(said("two words").find("a space (byte 4)"), std::string::npos);
  EXPECT_NE(said(std::string(1025, 'a')).find("longer than 1024 bytes"), std::string::npos);
}

TEST(SameToken, ComparesWhole) {
  EXPECT_TRUE(SameToken("abc", "abc"));
  EXPECT_FALSE(SameToken("abc", "abd"));
  EXPECT_FALSE(SameToken("abc", "ab"));
  EXPECT_FALSE(SameToken("", "a"));
}

}  // namespace
}  // namespace coxswain::rpc
