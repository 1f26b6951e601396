// Where a text is not UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace coxswain::trainer::tokenizer {

// Offset of the first byte that is no part of valid UTF-8 (RFC 3629); npos: all is.
size_t FindBadUtf8(std::string_view text);

}  // namespace coxswain::trainer::tokenizer
