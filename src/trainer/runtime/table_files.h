// Finds and opens the files of a table. The module that reads them is loaded here.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/table/table_source.h"

namespace coxswain::trainer {

// URIs of the files that `uris` name: each a file, a folder (every file below it with the ending of
// the format, ascending by name, but for names that begin with '_' or '.') or a pattern (* and ? in
// the last part). NOT_FOUND: one of them names none.
absl::StatusOr<std::vector<std::string>> FindTableFiles(const std::vector<std::string>& uris,
                                                        const std::string& format,
                                                        const blob::StoreSettings& settings);

// Opens them all, in order. `look_only`: as table::TableFormat has it. Errors name the file.
absl::StatusOr<data::TableFiles> OpenTableFiles(const std::vector<std::string>& uris,
                                                const config::Data& spec, bool look_only,
                                                const blob::StoreSettings& settings);

}  // namespace coxswain::trainer
