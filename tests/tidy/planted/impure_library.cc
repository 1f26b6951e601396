// Planted: the clock that impure_core.cc borrows, and an object file that it does not take.
#include <ctime>

namespace planted {

long BorrowedClock() { return std::time(nullptr); }

}  // namespace planted
