// The entry point of libcoxswain_s3.so (see trainer/blob/s3_module.h).
#include "trainer/blob/s3_module.h"

#include "trainer/blob_s3/s3_blob_store.h"

extern "C" __attribute__((visibility("default"))) void CoxswainOpenS3(
    const coxswain::trainer::blob::StoreUri& uri,
    const coxswain::trainer::blob::StoreSettings& settings,
    absl::StatusOr<std::unique_ptr<coxswain::trainer::blob::BlobStore>>* store) {
  *store = coxswain::trainer::blob::OpenS3Store(uri, settings);
}
