// What the module libcoxswain_s3.so offers: opening an s3:// store. It is built with the same
// compiler and flags as the program that loads it.
#pragma once

#include <memory>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::blob {

inline constexpr char kS3Module[] = "libcoxswain_s3.so";
inline constexpr char kOpenS3Symbol[] = "CoxswainOpenS3";
using OpenS3Function = void (*)(const StoreUri& uri, const StoreSettings& settings,
                                absl::StatusOr<std::unique_ptr<BlobStore>>* store);

}  // namespace coxswain::trainer::blob
