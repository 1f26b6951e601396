// Floating point numbers of one kind as another. Pure.
#pragma once

#include <cstdint>

#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::pretrained {

// From F16, BF16, F32 or F64 to F32 or F64.
void ConvertFloats(blob::DType from_type, const char* from, uint64_t count, blob::DType to_type,
                   char* to);

}  // namespace coxswain::trainer::pretrained
