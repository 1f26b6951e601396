#include "trainer/engine/collective/group_store.h"

#include <unistd.h>

#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "common/base/clock.h"

namespace coxswain::trainer::engine {
namespace {

void Rest(const GroupLimits& limits, base::Time until) {
  TORCH_CHECK_WITH(DistBackendError, !limits.given_up(), "the group was given up");
  TORCH_CHECK_WITH(DistBackendError, base::MonotonicNow() < until,
                   "rank 0 did not open the group's store in time");
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

c10::intrusive_ptr<c10d::Store> OpenTcpStore(const GroupSettings& settings,
                                             const GroupLimits& limits) {
  c10d::TCPStoreOptions options;
  options.port = settings.store_port;
  options.isServer = settings.rank == 0;
  options.waitWorkers = false;
  options.timeout = Milliseconds(limits.form);
  const std::string open = "open " + std::to_string(settings.generation.value);
  if (options.isServer) {
    // The store closes what it is given; the rank's address must outlive it.
    options.masterListenFd = dup(settings.store_fd);
    auto store = c10::make_intrusive<c10d::TCPStore>(settings.store_host, options);
    store->set(open, std::vector<uint8_t>{1});
    return store;
  }
  // That address serves all generations: a rank that is quicker than rank 0 meets the store of
  // the group before, and is cut off when that ends.
  const base::Time until = base::MonotonicNow() + limits.form;
  for (;;) {
    try {
      auto store = c10::make_intrusive<c10d::TCPStore>(settings.store_host, options);
      while (!store->check({open})) Rest(limits, until);
      return store;
    } catch (const c10::DistNetworkError&) {
      Rest(limits, until);
    }
  }
}

}  // namespace

c10::intrusive_ptr<c10d::Store> OpenGroupStore(const GroupSettings& settings,
                                               const GroupLimits& limits) {
  return c10::make_intrusive<c10d::PrefixStore>("g" + std::to_string(settings.generation.value),
                                                OpenTcpStore(settings, limits));
}

}  // namespace coxswain::trainer::engine
