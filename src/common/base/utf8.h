// UTF-8 (RFC 3629; table 3-7 of the Unicode standard): no overlong forms, no surrogates, nothing
// above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace coxswain::base {

// The bytes (1 to 4) of the character at the front of `text`; 0: none there, or not a valid one.
size_t Utf8Length(std::string_view text);

// Whether `text` begins with U+0080 to U+009F, the second set of control characters.
bool StartsWithC1(std::string_view text);

// Whether `text` begins with a character that nobody sees and that moves, joins or reverses what
// follows it: marks and overrides of direction, line and paragraph separators, invisible operators.
// Not the two joiners that scripts and emoji need, and not a byte order mark.
bool StartsWithHidden(std::string_view text);

}  // namespace coxswain::base
