// Thread sanitizer builds only: tells the sanitizer what Debian's gRPC orders.
//
// gRPC and the Abseil it locks with are not compiled with the sanitizer: it would not see that what
// one thread hands to gRPC comes before what another gets from it, and would report every hand-over
// as a race. Both are shared libraries, so these definitions, loaded first
// (deploy/cmake/sdk.cmake), stand before theirs: they call them and say what follows what. Exactly
// what gRPC 1.51 uses:
//   - Abseil's mutex and condition variable;
//   - a batch of operations comes before the callback that tells its end;
//   - a server's callbacks come before OnDone of their call, though the library counts some of
//   them.
#include <absl/synchronization/mutex.h>
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/support/server_callback.h>
#include <link.h>
#include <sanitizer/tsan_interface.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

namespace {

void End(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) _exit(2);
  _exit(2);
}

// Abseil's own definition of a symbol; without it a run would prove nothing.
void* Next(const char* symbol) {
  void* found = dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) End("tsan_grpc: this Abseil names its symbols otherwise: mend its names\n");
  return found;
}

template <class Result, class... Arguments>
Result CallNext(void* function, Arguments... arguments) {
  return reinterpret_cast<Result (*)(Arguments...)>(function)(arguments...);
}

__attribute__((constructor)) void CheckOrder() {
  void* used = dlsym(RTLD_DEFAULT, "_ZN4absl7debian35Mutex4LockEv");
  if (used == Next("_ZN4absl7debian35Mutex4LockEv")) {
    End("tsan_grpc: Abseil is loaded before it: link coxswain_tsan_grpc first\n");
  }
}

using Functor = grpc_completion_queue_functor;
using Run = void (*)(Functor*, int);

// What gRPC calls at the end of a batch: gRPC++ has two such functions, a few more do no harm.
constexpr size_t kMostRuns = 4;
std::array<std::atomic<Run>, kMostRuns> true_runs;

template <size_t kIndex>
void Arrive(Functor* functor, int ok) {
  __tsan_acquire(functor);
  true_runs[kIndex].load()(functor, ok);
}
constexpr std::array<Run, kMostRuns> kArrivals = {Arrive<0>, Arrive<1>, Arrive<2>, Arrive<3>};

// A tag is a functor (of the callback API), whose first word is a function, or an object of the
// synchronous API, whose first word is a table of functions.
bool IsCode(const void* address) {
  auto holds = [](dl_phdr_info* info, size_t, void* wanted) -> int {
    auto at = reinterpret_cast<uintptr_t>(wanted);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = info->dlpi_phdr[i];
      uintptr_t begin = info->dlpi_addr + part.p_vaddr;
      bool code = part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0;
      if (code && at >= begin && at < begin + part.p_memsz) return 1;
    }
    return 0;
  };
  return dl_iterate_phdr(holds, const_cast<void*>(address)) == 1;
}

void AnnounceBatch(void* tag) {
  auto* functor = static_cast<Functor*>(tag);
  Run run = functor->functor_run;
  for (Run arrival : kArrivals) {
    if (run == arrival) return __tsan_release(functor);
  }
  for (size_t i = 0; i < kMostRuns; ++i) {
    Run found = true_runs[i].load();
    if (found == nullptr) {
      if (!IsCode(reinterpret_cast<void*>(run))) return;
      if (true_runs[i].compare_exchange_strong(found, run)) found = run;
    }
    if (found != run) continue;
    functor->functor_run = kArrivals[i];
    return __tsan_release(functor);
  }
}

}  // namespace

extern "C" grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count,
                                                 void* tag, void* reserved) {
  static void* const next = Next("grpc_call_start_batch");
  if (tag != nullptr) AnnounceBatch(tag);
  return CallNext<grpc_call_error>(next, call, ops, count, tag, reserved);
}

void grpc::internal::ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  static void* const next = Next("_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  __tsan_acquire(&callbacks_outstanding_);
  CallNext<void>(next, this, inline_ondone);
}

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static void* const next = Next("_ZN4absl7debian35Mutex4LockEv");
  CallNext<void>(next, this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static void* const next = Next("_ZN4absl7debian35Mutex7TryLockEv");
  bool locked = CallNext<bool>(next, this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static void* const next = Next("_ZN4absl7debian35Mutex6UnlockEv");
  __tsan_release(this);
  CallNext<void>(next, this);
}

void ReleasableMutexLock::Release() {
  mu_->Unlock();
  mu_ = nullptr;
}

void CondVar::Wait(Mutex* mu) {
  static void* const next = Next("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  __tsan_release(mu);
  CallNext<void>(next, this, mu);
  __tsan_acquire(mu);
}

bool CondVar::WaitWithTimeout(Mutex* mu, absl::Duration timeout) {
  static void* const next =
      Next("_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  __tsan_release(mu);
  bool timed_out = CallNext<bool>(next, this, mu, timeout);
  __tsan_acquire(mu);
  return timed_out;
}

ABSL_NAMESPACE_END
}  // namespace absl
