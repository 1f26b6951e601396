#include "coordinator/core/scheduling/usage.h"

#include <algorithm>

namespace coxswain::coordinator::core {
namespace {

constexpr int64_t kHourMs = 3'600'000;

// round(2^32 * 2^(-k/32)): one 32nd of a half-life each.
constexpr uint64_t kFractions[33] = {
    4294967296, 4202935003, 4112874773, 4024744348, 3938502376, 3854108391, 3771522796,
    3690706840, 3611622603, 3534232978, 3458501653, 3384393094, 3311872529, 3240905930,
    3171459999, 3103502151, 3037000500, 2971923842, 2908241642, 2845924021, 2784941738,
    2725266179, 2666869345, 2609723834, 2553802834, 2499080105, 2445529972, 2393127307,
    2341847524, 2291666561, 2242560872, 2194507417, 2147483648};

}  // namespace

int64_t ChargePerRank(const JobRequest& request, const SchedulingSettings& settings) {
  return std::max<int64_t>(request.cpus, int64_t{request.gpus} * settings.slots_per_gpu);
}

int64_t Decayed(int64_t amount, base::Duration age, base::Duration half_life) {
  if (amount <= 0 || age.count() <= 0 || half_life.count() <= 0)
    return std::max<int64_t>(amount, 0);
  int64_t halves = age / half_life;
  if (halves >= 63) return 0;
  // Linear between two entries: at most 0.006 % off.
  int64_t rest = (age - half_life * halves).count();
  unsigned __int128 scaled = static_cast<unsigned __int128>(rest) * 32;
  uint64_t at = static_cast<uint64_t>(scaled / half_life.count());
  uint64_t part = static_cast<uint64_t>(scaled % half_life.count());
  unsigned __int128 step =
      static_cast<unsigned __int128>(kFractions[at] - kFractions[at + 1]) * part;
  uint64_t fraction = kFractions[at] - static_cast<uint64_t>(step / half_life.count());
  return static_cast<int64_t>((static_cast<unsigned __int128>(amount >> halves) * fraction) >> 32);
}

int64_t InAnHour(const Amount& held, const SchedulingSettings& settings) {
  return std::max(held.cpus, held.gpus * settings.slots_per_gpu) * kHourMs;
}

int64_t FairUse(int64_t used, const Amount& held, const QueueSettings& queue,
                const SchedulingSettings& settings) {
  return (used + InAnHour(held, settings)) / std::max<int64_t>(1, queue.weight);
}

double SlotHours(int64_t amount) { return static_cast<double>(amount) / kHourMs; }

Amount DemandOf(const JobRequest& request, uint32_t workers) {
  return {int64_t{workers} * request.cpus, int64_t{workers} * request.gpus};
}

int64_t SlotsHeld(const JobRequest& request, uint32_t workers) {
  return int64_t{workers} * (request.gpus > 0 ? request.gpus : request.cpus);
}

}  // namespace coxswain::coordinator::core
