// A token is a byte (0 to 255); 256 is the end of a text, if there is one.
#pragma once

#include <memory>

#include "trainer/engine/tokenizer/tokenizer.h"

namespace coxswain::trainer::tokenizer {

// Any bytes will do, UTF-8 or not.
std::unique_ptr<Tokenizer> MakeByteTokenizer(bool with_end_of_text);

}  // namespace coxswain::trainer::tokenizer
