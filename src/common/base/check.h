// CHECK(condition) << "why": a bug, on in release builds too. Prints file, line, condition and text
// to stderr and aborts; the process recovers from its store.
#pragma once

#include <sstream>

namespace coxswain::base {

class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return text_; }

 private:
  std::ostringstream text_;
};

}  // namespace coxswain::base

#define CHECK(condition) \
  while (!(condition)) ::coxswain::base::CheckFailure(__FILE__, __LINE__, #condition).stream()
