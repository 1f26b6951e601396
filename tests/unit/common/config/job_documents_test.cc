// docs/job-spec.md names every key the parser knows and no other; the example jobs parse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "common/config/job_parser.h"

namespace coxswain::config {
namespace {

std::string Text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

const std::filesystem::path kRoot = COXSWAIN_SOURCE_DIR;

TEST(JobSpecDocument, HasARowForEveryKeyAndNoOther) {
  const std::string document = Text(kRoot / "docs/job-spec.md");
  const std::regex row("\n\\| `([A-Za-z0-9_.*]+)` \\|");
  std::set<std::string> documented;
  for (std::sregex_iterator it(document.begin(), document.end(), row), end; it != end; ++it) {
    EXPECT_TRUE(documented.insert((*it)[1]).second) << (*it)[1] << " has two rows";
  }
  const std::vector<std::string> known = KnownJobKeys();
  EXPECT_EQ(documented, std::set<std::string>(known.begin(), known.end()));
}

TEST(JobSpecDocument, ItsExampleIsAJob) {
  const std::string document = Text(kRoot / "docs/job-spec.md");
  const size_t begin = document.find("```yaml\n") + 8;
  const std::string example = document.substr(begin, document.find("```", begin) - begin);
  const auto result = ParseJob(example, "example", {});
  const auto* mistakes = std::get_if<std::vector<Mistake>>(&result);
  EXPECT_EQ(mistakes, nullptr) << ToString(*mistakes);
}

TEST(ExampleJobs, AllParseWithoutWarnings) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / "configs")) {
    const bool daemon = entry.path().parent_path() == kRoot / "configs";
    if (daemon || entry.path().extension() != ".yaml") continue;
    ++count;
    const auto result = ParseJob(Text(entry.path()), entry.path().filename().string(), {});
    if (const auto* mistakes = std::get_if<std::vector<Mistake>>(&result)) {
      ADD_FAILURE() << ToString(*mistakes);
    } else {
      EXPECT_THAT(std::get<ParsedJob>(result).warnings, testing::IsEmpty()) << entry.path();
    }
  }
  EXPECT_GE(count, 5);
}

}  // namespace
}  // namespace coxswain::config
