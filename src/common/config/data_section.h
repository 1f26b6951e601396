// Reads spec.data: the keys of each kind of data, and that none is given that belongs to another.
// Inside common/config only.
#pragma once

#include <string>
#include <string_view>

#include "common/config/job_spec.h"
#include "common/config/section.h"

namespace coxswain::config {

void ReadData(Section& in, Data* out);

// A key whose text is a URI or, with `path_too`, a path.
void ReadUri(Section& in, std::string_view key, bool path_too, std::string* out);

}  // namespace coxswain::config
