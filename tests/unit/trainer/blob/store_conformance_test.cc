#include "tests/unit/trainer/blob/store_conformance.h"

#include <stdlib.h>

#include <filesystem>

#include "tests/fakes/blob/fake_blob_store.h"
#include "tests/fakes/blob/power_cut_files.h"
#include "trainer/blob/file_blob_store.h"

namespace coxswain::trainer::blob {
namespace {

struct TemporaryFolder {
  TemporaryFolder() {
    std::string pattern = ::testing::TempDir() + "/blobXXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string path;
};

StoreUnderTest RealFiles() {
  auto folder = std::make_shared<TemporaryFolder>();
  return {"files", [folder](const std::string& name) {
            return OpenStore("file://" + folder->path + "/" + name, {}).value();
          }};
}

StoreUnderTest FilesInMemory() {
  auto files = std::make_shared<fakes::PowerCutFiles>();
  return {"memory", [files](const std::string& name) -> std::unique_ptr<BlobStore> {
            return std::make_unique<FileBlobStore>("/" + name, *files, nullptr);
          }};
}

StoreUnderTest Fake() {
  auto blobs = std::make_shared<fakes::FakeBlobs>();
  return {"fake", [blobs](const std::string& name) -> std::unique_ptr<BlobStore> {
            return std::make_unique<fakes::FakeBlobStore>("fake://" + name, blobs);
          }};
}

INSTANTIATE_TEST_SUITE_P(Files, StoreConformance, ::testing::Values(RealFiles));
INSTANTIATE_TEST_SUITE_P(Fake, StoreConformance, ::testing::Values(Fake));

// The file system of the power-cut test is itself a file system. (It is for one thread.)
INSTANTIATE_TEST_SUITE_P(PowerCutFiles, StoreConformance, ::testing::Values(FilesInMemory));

}  // namespace
}  // namespace coxswain::trainer::blob
