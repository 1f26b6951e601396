// Reads what spec.data has of tables (format parquet and csv). Inside common/config only.
#pragma once

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// `table`: the job's format is one; otherwise keys are made known, and nothing is required.
void ReadTableTrain(Section& in, bool table, TableData* out);
void ReadTableEvaluate(Section& in, bool table, TableData* out);
// What stands in spec.data itself; after the two above.
void ReadTable(Section& in, const Data& data, TableData* out);

}  // namespace coxswain::config
