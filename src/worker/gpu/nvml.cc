#include "worker/gpu/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace coxswain::worker::gpu {
namespace {

using Device = void*;
using EventSet = void*;
using Return = int;

constexpr Return kSuccess = 0;
constexpr Return kInsufficientSize = 7;
constexpr unsigned long long kXidCriticalError = 0x8;
constexpr int kUncorrected = 1;
constexpr int kVolatile = 0;
constexpr unsigned kMostProcesses = 64;

struct Memory {
  unsigned long long total, free, used;
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance, compute_instance;
};
struct EventData {
  Device device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};

std::string ProcessName(unsigned pid) {
  std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(comm, name);
  return name;
}

}  // namespace

struct Nvml::Calls {
  void* library = nullptr;
  Return (*init)() = nullptr;
  Return (*shutdown)() = nullptr;
  const char* (*error_string)(Return) = nullptr;
  Return (*count)(unsigned*) = nullptr;
  Return (*by_index)(unsigned, Device*) = nullptr;
  Return (*uuid)(Device, char*, unsigned) = nullptr;
  Return (*name)(Device, char*, unsigned) = nullptr;
  Return (*memory)(Device, Memory*) = nullptr;
  Return (*processes)(Device, unsigned*, ProcessInfo*) = nullptr;
  Return (*ecc)(Device, int, int, unsigned long long*) = nullptr;
  Return (*make_events)(EventSet*) = nullptr;
  Return (*watch_events)(Device, unsigned long long, EventSet) = nullptr;
  Return (*next_event)(EventSet, EventData*, unsigned) = nullptr;

  template <class F>
  bool Find(const char* symbol, F& function) {
    function = reinterpret_cast<F>(dlsym(library, symbol));
    return function != nullptr;
  }
  // The last three groups are not in every driver; without them that part is not known.
  bool FindAll() {
    Find("nvmlDeviceGetComputeRunningProcesses_v3", processes);
    Find("nvmlDeviceGetTotalEccErrors", ecc);
    if (!Find("nvmlEventSetCreate", make_events) ||
        !Find("nvmlDeviceRegisterEvents", watch_events) ||
        !Find("nvmlEventSetWait_v2", next_event)) {
      make_events = nullptr;
    }
    return Find("nvmlInit_v2", init) && Find("nvmlShutdown", shutdown) &&
           Find("nvmlErrorString", error_string) && Find("nvmlDeviceGetCount_v2", count) &&
           Find("nvmlDeviceGetHandleByIndex_v2", by_index) && Find("nvmlDeviceGetUUID", uuid) &&
           Find("nvmlDeviceGetName", name) && Find("nvmlDeviceGetMemoryInfo", memory);
  }
  std::string Error(Return code) const { return error_string(code); }
};

Nvml::Nvml(std::unique_ptr<Calls> calls) : calls_(std::move(calls)) {}

std::unique_ptr<Nvml> Nvml::Load(const std::string& library, std::string& problem) {
  auto calls = std::make_unique<Calls>();
  calls->library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (calls->library == nullptr) {
    problem = library + " not found";
    return nullptr;
  }
  if (!calls->FindAll()) {
    problem = library + " is too old, or is not NVML";
    dlclose(calls->library);
    return nullptr;
  }
  if (Return code = calls->init(); code != kSuccess) {
    problem = "NVML: " + calls->Error(code);
    dlclose(calls->library);
    return nullptr;
  }
  return std::unique_ptr<Nvml>(new Nvml(std::move(calls)));
}

// The library stays loaded: a thread of its own may still run.
Nvml::~Nvml() { calls_->shutdown(); }

std::vector<core::GpuFacts> Nvml::Probe(std::string& note) {
  note.clear();
  std::vector<core::GpuFacts> found;
  unsigned count = 0;
  if (Return code = calls_->count(&count); code != kSuccess) {
    note = "NVML: " + calls_->Error(code);
    return found;
  }
  if (count == 0) note = "NVML reports no GPU";
  if (count != watched_) WatchForXids(count);
  TakeXids();
  for (unsigned index = 0; index < count; ++index) {
    core::GpuFacts facts = Ask(index);
    if (facts.uuid.empty()) {
      note = "GPU " + std::to_string(index) + ": " + facts.problem;
    } else {
      found.push_back(std::move(facts));
    }
  }
  return found;
}

core::GpuFacts Nvml::Ask(unsigned index) {
  core::GpuFacts facts;
  facts.index = index;
  Device device = nullptr;
  char text[128] = "";
  Return code = calls_->by_index(index, &device);
  if (code == kSuccess) code = calls_->uuid(device, text, sizeof text);
  if (code != kSuccess) {
    facts.problem = calls_->Error(code);
    return facts;
  }
  facts.uuid = text;
  if (calls_->name(device, text, sizeof text) == kSuccess) facts.name = text;
  Memory memory{};
  if (code = calls_->memory(device, &memory); code != kSuccess) {
    facts.problem = "NVML: " + calls_->Error(code);  // "GPU is lost", "reset required" ...
    return facts;
  }
  facts.memory_bytes = static_cast<int64_t>(memory.total);
  AskHealth(device, facts);
  return facts;
}

void Nvml::AskHealth(void* device, core::GpuFacts& facts) {
  ProcessInfo running[kMostProcesses];
  unsigned count = kMostProcesses;
  Return code = calls_->processes ? calls_->processes(device, &count, running) : -1;
  if (code == kSuccess || code == kInsufficientSize) {
    for (unsigned i = 0; i < std::min(count, kMostProcesses); ++i) {
      facts.processes.push_back({running[i].pid, ProcessName(running[i].pid)});
    }
  }
  unsigned long long errors = 0;
  if (calls_->ecc && calls_->ecc(device, kUncorrected, kVolatile, &errors) == kSuccess) {
    facts.uncorrectable_ecc = errors;
  }
  for (const auto& [uuid, xid] : fatal_xids_) {
    if (uuid == facts.uuid) facts.fatal_xid = xid;
  }
}

void Nvml::WatchForXids(unsigned count) {
  watched_ = count;
  if (calls_->make_events == nullptr) return;
  if (events_ == nullptr && calls_->make_events(&events_) != kSuccess) events_ = nullptr;
  for (unsigned index = 0; events_ != nullptr && index < count; ++index) {
    Device device = nullptr;
    if (calls_->by_index(index, &device) != kSuccess) continue;
    calls_->watch_events(device, kXidCriticalError, events_);
  }
}

void Nvml::TakeXids() {
  EventData event{};
  while (events_ != nullptr && calls_->next_event(events_, &event, 0) == kSuccess) {
    char uuid[128] = "";
    bool fatal = event.type == kXidCriticalError && core::IsFatalXid(event.data);
    if (fatal && calls_->uuid(event.device, uuid, sizeof uuid) == kSuccess) {
      fatal_xids_.emplace_back(uuid, event.data);
    }
  }
}

}  // namespace coxswain::worker::gpu
