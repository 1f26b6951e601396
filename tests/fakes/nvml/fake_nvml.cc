// Stands in for libnvidia-ml.so.1. What it reports is read, at each call that counts the GPUs, from
// the file named in FAKE_NVML: one GPU a line, "UUID key=value...", with the keys pid, ecc, xid
// (told once) and lost; a line "hang" makes the call wait until the file says otherwise.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Gpu {
  std::string uuid;
  unsigned pid = 0;
  unsigned long long ecc = 0, xid = 0;
  bool lost = false;
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long memory;
  unsigned gi, ci;
};
struct EventData {
  void* device;
  unsigned long long type, data;
  unsigned gi, ci;
};
constexpr int kSuccess = 0, kInvalid = 2, kGpuIsLost = 15, kTimeout = 10, kNotLoaded = 9;

// Never destroyed: a call that hung may come back while the process ends.
std::mutex mutex;
std::vector<Gpu>& gpus = *new std::vector<Gpu>;

// True if the file says "hang".
bool Read() {
  std::lock_guard lock(mutex);
  gpus.clear();
  std::ifstream in(getenv("FAKE_NVML"));
  std::string line, word;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    Gpu gpu;
    words >> gpu.uuid;
    if (gpu.uuid == "hang") return true;
    while (words >> word) {
      unsigned long long value = strtoull(word.c_str() + word.find('=') + 1, nullptr, 10);
      if (word.starts_with("pid=")) gpu.pid = static_cast<unsigned>(value);
      if (word.starts_with("ecc=")) gpu.ecc = value;
      if (word.starts_with("xid=")) gpu.xid = value;
      if (word == "lost") gpu.lost = true;
    }
    if (!gpu.uuid.empty()) gpus.push_back(gpu);
  }
  return false;
}
Gpu& At(void* device) { return gpus.at(reinterpret_cast<size_t>(device) - 1); }
bool Known(void* device) { return reinterpret_cast<size_t>(device) - 1 < gpus.size(); }

}  // namespace

extern "C" {
int nvmlInit_v2() { return access(getenv("FAKE_NVML"), R_OK) == 0 ? kSuccess : kNotLoaded; }
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int code) {
  return code == kGpuIsLost ? "GPU is lost" : code == kNotLoaded ? "Driver Not Loaded" : "Error";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  while (Read()) usleep(1000);
  *count = static_cast<unsigned>(gpus.size());
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = reinterpret_cast<void*>(static_cast<size_t>(index) + 1);
  return index < gpus.size() ? kSuccess : kInvalid;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  if (!Known(device)) return kInvalid;
  snprintf(text, size, "%s", At(device).uuid.c_str());
  return kSuccess;
}
int nvmlDeviceGetName(void*, char* text, unsigned size) {
  snprintf(text, size, "Fake H100");
  return kSuccess;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* memory) {
  if (At(device).lost) return kGpuIsLost;
  memory[0] = 80ull << 30;
  return kSuccess;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count, ProcessInfo* infos) {
  *count = At(device).pid != 0;
  if (*count) infos[0] = {At(device).pid, 1 << 20, 0, 0};
  return kSuccess;
}
int nvmlDeviceGetTotalEccErrors(void* device, int, int, unsigned long long* count) {
  *count = At(device).ecc;
  return kSuccess;
}
int nvmlEventSetCreate(void** set) {
  *set = &gpus;
  return kSuccess;
}
int nvmlDeviceRegisterEvents(void*, unsigned long long, void*) { return kSuccess; }
int nvmlEventSetWait_v2(void*, EventData* event, unsigned) {
  for (size_t i = 0; i < gpus.size(); ++i) {
    if (gpus[i].xid == 0) continue;
    *event = {reinterpret_cast<void*>(i + 1), 0x8, gpus[i].xid, 0, 0};
    gpus[i].xid = 0;
    return kSuccess;
  }
  return kTimeout;
}
}
