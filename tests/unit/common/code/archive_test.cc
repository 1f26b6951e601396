#include "common/code/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "common/code/code_id.h"

namespace coxswain::code {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ArchiveTest : public testing::Test {
 protected:
  void Write(const fs::path& path, const std::string& text) {
    fs::create_directories((dir() / path).parent_path());
    std::ofstream(dir() / path, std::ios::binary) << text;
  }
  static std::string Read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // All there is below the directory that was unpacked to.
  std::vector<std::string> Unpacked() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(out())) {
      found.push_back(entry.path().lexically_relative(out()).string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<std::string> PackAndUnpack() {
    auto packed = Pack(dir());
    EXPECT_TRUE(packed.ok()) << packed.status();
    EXPECT_TRUE(Unpack(packed->archive, out()).ok());
    return Unpacked();
  }
  fs::path dir() const { return root_ / "code"; }
  fs::path out() const { return root_ / "out"; }

  const fs::path root_ =
      fs::path(testing::TempDir()) / ("coxswain-archive-test-" + std::to_string(getpid()));

  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(dir());
  }
  void TearDown() override { fs::remove_all(root_); }
};

using Fill = std::function<void(struct archive*, struct archive_entry*)>;

// An archive as another program may make it.
std::string ArchiveOf(const Fill& fill) {
  std::string bytes(1 << 20, '\0');
  size_t used = 0;
  struct archive* out = archive_write_new();
  archive_write_set_format_pax(out);
  archive_write_add_filter_gzip(out);
  archive_write_open_memory(out, bytes.data(), bytes.size(), &used);
  struct archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  archive_entry_set_pathname(entry, "train.py");
  archive_entry_set_size(entry, 0);
  fill(out, entry);
  archive_entry_free(entry);
  archive_write_close(out);
  archive_write_free(out);
  bytes.resize(used);
  return bytes;
}

TEST_F(ArchiveTest, FilesComeBackWithTheirContentAndWhetherTheyCanBeRun) {
  Write("train.py", "print(1)\n");
  Write("run.sh", "#!/bin/sh\n");
  Write("lib/deep/x.bin", std::string("\0\1\2", 3));
  Write("größe \xe2\x82\xac.txt", "name");
  Write("empty", "");
  fs::create_directories(dir() / "folder");
  fs::create_symlink("lib/deep", dir() / "link");
  fs::permissions(dir() / "run.sh", fs::perms::owner_all);
  EXPECT_THAT(PackAndUnpack(),
              ElementsAre("empty", "folder", "größe \xe2\x82\xac.txt", "lib", "lib/deep",
                          "lib/deep/x.bin", "link", "run.sh", "train.py"));
  EXPECT_EQ(Read(out() / "train.py"), "print(1)\n");
  EXPECT_EQ(Read(out() / "link/x.bin"), std::string("\0\1\2", 3));
  EXPECT_NE(fs::status(out() / "run.sh").permissions() & fs::perms::owner_exec, fs::perms::none);
  EXPECT_EQ(fs::status(out() / "train.py").permissions() & fs::perms::owner_exec, fs::perms::none);
}

TEST_F(ArchiveTest, TheSameFilesGiveTheSameBytes) {
  Write("b/2.py", "2");
  Write("a.py", "1");
  auto first = Pack(dir());
  ASSERT_TRUE(first.ok());
  fs::remove_all(dir());
  Write("a.py", "1");
  Write("b/2.py", "2");
  fs::last_write_time(dir() / "a.py", fs::file_time_type::clock::now() - std::chrono::hours(5));
  fs::permissions(dir() / "a.py", fs::perms::owner_read);
  auto second = Pack(dir());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(CodeIdOf(first->archive), CodeIdOf(second->archive));
  EXPECT_EQ(first->files, 2u);
  EXPECT_EQ(first->bytes, 2u);
  Write("a.py", "3");
  EXPECT_NE(CodeIdOf(first->archive), CodeIdOf(Pack(dir())->archive));
}

TEST_F(ArchiveTest, WhatIsNoCodeIsLeftOut) {
  for (const char* path :
       {".git/HEAD", "pkg/__pycache__/x.pyc", "pkg/x.py", "data/big.bin", "pkg/data/small.py",
        "out.log", "pkg/out.log", "notes/today.md", "notes/keep.txt", "run"}) {
    Write(path, "x");
  }
  Write(kIgnoreFile, "# results\n*.log\n/data\nnotes/*.md\nrun/\n\n");
  EXPECT_THAT(PackAndUnpack(), ElementsAre(".coxignore", "notes", "notes/keep.txt", "pkg",
                                           "pkg/data", "pkg/data/small.py", "pkg/x.py", "run"));
}

TEST_F(ArchiveTest, WhatCannotBePackedIsNamed) {
  EXPECT_THAT(Pack(dir() / "other").status().message(), HasSubstr("there is no directory "));
  EXPECT_THAT(Pack(dir()).status().message(), HasSubstr("has no files to pack"));
  Write("a.py", "1");
  EXPECT_THAT(Pack(dir() / "a.py").status().message(), HasSubstr("a.py: is no directory"));
  fs::create_symlink("../elsewhere", dir() / "link");
  EXPECT_THAT(Pack(dir()).status().message(),
              HasSubstr("code/link: is a link to ../elsewhere, which is not in "));
  fs::remove(dir() / "link");
  mkfifo((dir() / "pipe").c_str(), 0600);
  EXPECT_THAT(Pack(dir()).status().message(), HasSubstr("code/pipe: is no file, folder or link"));
}

TEST_F(ArchiveTest, AnArchiveBeyondTheLimitNamesTheLargestFiles) {
  std::mt19937_64 random(1);
  std::string noise(kMostArchiveBytes + 1, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  Write("data/noise.bin", noise);
  Write("a.py", "1");
  absl::Status status = Pack(dir()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("has 64 MiB when packed, at most 64 MiB are taken; the "
                                          "largest are data/noise.bin (64 MiB), a.py (1 B)"));
}

TEST_F(ArchiveTest, WhatLeadsOutOfTheDirectoryIsRefused) {
  const std::vector<std::pair<Fill, std::string>> wrong = {
      {[](auto* out, auto* entry) {
         archive_entry_set_pathname(entry, "../x");
         archive_write_header(out, entry);
       },
       "has the path '../x', expected one below the directory"},
      {[](auto* out, auto* entry) {
         archive_entry_set_pathname(entry, "/etc/x");
         archive_write_header(out, entry);
       },
       "has the path '/etc/x'"},
      {[](auto* out, auto* entry) {
         archive_entry_set_filetype(entry, AE_IFLNK);
         archive_entry_set_symlink(entry, "/etc");
         archive_write_header(out, entry);
       },
       "has train.py as a link to '/etc', which leads out of it"},
      {[](auto* out, auto* entry) {
         archive_entry_set_pathname(entry, "a/b");
         archive_entry_set_filetype(entry, AE_IFLNK);
         archive_entry_set_symlink(entry, "../../x");
         archive_write_header(out, entry);
       },
       "has a/b as a link to '../../x', which leads out of it"},
      {[](auto* out, auto* entry) {
         archive_entry_set_filetype(entry, AE_IFIFO);
         archive_write_header(out, entry);
       },
       "has train.py, which is no file, directory or link"},
      {[](auto*, auto*) {}, "is empty"},
  };
  for (const auto& [fill, text] : wrong) {
    const std::string archive = ArchiveOf(fill);
    EXPECT_THAT(CheckArchive(archive).message(), HasSubstr(text));
    EXPECT_THAT(Unpack(archive, out()).message(), HasSubstr(text));
    EXPECT_THAT(Unpacked(), ElementsAre());
  }
}

TEST_F(ArchiveTest, WhatIsPackedSmallMayNotBeLargeUnpacked) {
  const std::string zeros(16 << 20, '\0');
  const std::string archive = ArchiveOf([&](auto* out, auto* entry) {
    archive_entry_set_size(entry, kMostUnpackedBytes + zeros.size());
    archive_write_header(out, entry);
    for (uint64_t written = 0; written <= kMostUnpackedBytes; written += zeros.size()) {
      archive_write_data(out, zeros.data(), zeros.size());
    }
  });
  EXPECT_LT(archive.size(), size_t{1} << 20);
  EXPECT_THAT(CheckArchive(archive).message(), HasSubstr("holds more than 512 MiB"));
}

TEST_F(ArchiveTest, CutDamagedAndOtherBytesAreRefused) {
  Write("a.py", std::string(100'000, 'a') + "b");
  const std::string archive = Pack(dir())->archive;
  EXPECT_TRUE(CheckArchive(archive).ok());
  for (size_t bytes : {size_t{0}, size_t{3}, archive.size() / 2, archive.size() - 1}) {
    EXPECT_FALSE(CheckArchive(archive.substr(0, bytes)).ok()) << bytes;
  }
  EXPECT_FALSE(CheckArchive("print('this is no archive')\n").ok());
}

TEST_F(ArchiveTest, WhatWasThereBeforeGoes) {
  Write("a.py", "1");
  fs::create_directories(out());
  std::ofstream(out() / "old.py") << "x";
  EXPECT_THAT(PackAndUnpack(), ElementsAre("a.py"));
}

}  // namespace
}  // namespace coxswain::code
