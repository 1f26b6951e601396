// Works out a table's preprocessing in one pass over its training rows, in their order: the same
// numbers whoever does it, however often.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "trainer/engine/data/table/preprocessing.h"
#include "trainer/engine/data/table/table_source.h"

namespace coxswain::trainer::data {

// `keep`: takes each group's values as they pass, so that they need not be read again; may be
// unset. FAILED_PRECONDITION: values that are unfit, one class alone, more categories than anybody
// means (1000000 in a column, 10000 classes).
absl::StatusOr<Preprocessing> FitPreprocessing(const TableSource& source,
                                               const std::function<void(GroupValues)>& keep);

}  // namespace coxswain::trainer::data
