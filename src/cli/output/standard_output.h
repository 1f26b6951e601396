// Standard output of this process, where a lost byte is an error: a full disk or a closed
// descriptor must not look like success to the script that reads the result.
#pragma once

#include <string>
#include <string_view>

namespace coxswain::cli::output {

// Call first of all: a standard descriptor that the caller has closed is taken by one that refuses
// every write, so that no file or socket opened later gets its number.
void HoldStandardDescriptors();

// Writes and flushes. False: it failed, now or before; the rest is not written.
bool WriteOut(std::string_view text);

// Flushes what others have written, and tells what went wrong, now or before: 0, or an errno.
int OutputTrouble();

}  // namespace coxswain::cli::output
