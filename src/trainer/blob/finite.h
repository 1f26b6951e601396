// Whether numbers are numbers: a checkpoint with a NaN or an infinity in it is of no use.
#pragma once

#include <cstdint>

#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::blob {

// Of `bytes` bytes of elements of this type, aligned as it needs. Always true of whole numbers.
bool AllFinite(DType dtype, const char* data, uint64_t bytes);

}  // namespace coxswain::trainer::blob
