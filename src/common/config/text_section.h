// Reads what spec.data has of text (format text and tokens). Inside common/config only.
#pragma once

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

// What stands in spec.data itself; all of it is made known whatever the format is.
void ReadText(Section& in, const Data& data, TextData* out);

}  // namespace coxswain::config
