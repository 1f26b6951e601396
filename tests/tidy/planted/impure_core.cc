// Planted: a "core" that asks the world everything. purity_test.py sees each of it caught.
#include <sys/socket.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

namespace planted {

long BorrowedClock();  // in impure_library.cc: found only by following the link

long Ask() {
  std::thread thread([] {});
  thread.join();
  std::random_device device;
  std::FILE* file = std::fopen("x", "r");
  return std::chrono::steady_clock::now().time_since_epoch().count() +
         socket(AF_INET, SOCK_STREAM, 0) + static_cast<long>(device()) + (file != nullptr) +
         BorrowedClock();
}

}  // namespace planted
