#include "worker/core/gpu_facts.h"

#include <algorithm>
#include <array>

namespace coxswain::worker::core {
namespace {

constexpr std::array<uint64_t, 11> kFatalXids = {48, 62, 64, 74, 79, 92, 94, 95, 119, 120, 140};

std::string WhyNot(const GpuFacts& facts, bool ours) {
  if (!facts.problem.empty()) return facts.problem;
  if (facts.fatal_xid != 0) {
    return "Xid " + std::to_string(facts.fatal_xid) + ": reset the GPU, then restart this worker";
  }
  if (facts.uncorrectable_ecc != 0) {
    return "uncorrectable ECC errors: " + std::to_string(facts.uncorrectable_ecc);
  }
  if (ours || facts.processes.empty()) return "";
  const GpuProcess& stranger = facts.processes.front();
  std::string why = "in use by pid " + std::to_string(stranger.pid);
  if (!stranger.name.empty()) why += " (" + stranger.name + ")";
  if (facts.processes.size() > 1) {
    why += " and " + std::to_string(facts.processes.size() - 1) + " more";
  }
  return why;
}

}  // namespace

bool IsFatalXid(uint64_t xid) {
  return std::binary_search(kFatalXids.begin(), kFatalXids.end(), xid);
}

protocol::GpuInfo JudgeGpu(const GpuFacts& facts, bool ours) {
  protocol::GpuInfo info;
  info.uuid = facts.uuid;
  info.name = facts.name;
  info.index = facts.index;
  info.memory_bytes = facts.memory_bytes;
  info.why_not = WhyNot(facts, ours);
  info.available = info.why_not.empty();
  return info;
}

}  // namespace coxswain::worker::core
