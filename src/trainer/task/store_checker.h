// Can a checkpoint store be used as a job will use it?
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::task {

// Writes, reads and deletes a small object of a name never used before.
absl::Status CheckStore(blob::BlobStore& store);

// FAILED_PRECONDITION if `uri` is a file:// store on a disk of this machine alone. Told by the kind
// of file system; a network one counts as shared.
absl::Status CheckShared(std::string_view uri);

// Proof between machines: one writes the mark, each of the others sees it.
absl::Status WriteMark(blob::BlobStore& store, std::string_view token);
absl::Status SeeMark(blob::BlobStore& store, std::string_view token);
absl::Status RemoveMark(blob::BlobStore& store, std::string_view token);

// The other proof: a checkpoint that another machine wrote is whole here, as far as the sizes of
// its objects tell. FAILED_PRECONDITION if it is not.
absl::Status SeeCheckpoint(std::string_view uri, std::string_view manifest_hash,
                           const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
