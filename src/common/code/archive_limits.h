// What an archive may hold, for both ways. Inside common/code only.
#pragma once

#include <archive.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace coxswain::code {

using Reading = std::unique_ptr<struct archive, decltype(&archive_read_free)>;
using Writing = std::unique_ptr<struct archive, decltype(&archive_write_free)>;

inline std::string WhyFailed(struct archive* of) {
  const char* text = archive_error_string(of);
  return text == nullptr ? "no reason is known" : text;
}

// Below the directory: relative, without "..", not empty.
bool StaysInside(std::string_view path);
// Where a link at `path` leads to, seen from the directory, stays in it.
bool LinkStaysInside(std::string_view path, std::string_view target);

}  // namespace coxswain::code
