// The content of one IDX file in a store, plain or gzipped (known by its first bytes).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::task {

struct IdxHeader {
  std::vector<uint64_t> dims;
  uint64_t header_bytes = 0;
  uint64_t file_bytes = 0;  // unpacked, header included, as the dims demand
};

class IdxObject {
 public:
  static absl::StatusOr<IdxObject> Open(const std::string& uri,
                                        const blob::StoreSettings& settings);

  // INVALID_ARGUMENT: not IDX of unsigned bytes.
  absl::StatusOr<IdxHeader> ReadHeader();
  // INVALID_ARGUMENT unless the unpacked file has the size that its header demands. A gzip file's
  // own word for it is believed, to be quick: only the trainer, which unpacks all of it, finds one
  // that lost its middle.
  absl::Status CheckSize(const IdxHeader& header);
  // Hands over everything after the header, in parts.
  absl::Status ReadElements(const IdxHeader& header,
                            absl::FunctionRef<void(std::string_view part)> take);

 private:
  // Unpacks from the start and hands over parts until `take` returns false; the count of unpacked
  // bytes. `*whole`: the end was reached and it was a proper one.
  absl::StatusOr<uint64_t> Unpack(absl::FunctionRef<bool(std::string_view part)> take, bool* whole);
  absl::Status Wrong(std::string_view what) const;

  std::string uri_;
  blob::ObjectAt object_;
  uint64_t bytes_ = 0;  // as stored
  bool gzipped_ = false;
};

}  // namespace coxswain::trainer::task
