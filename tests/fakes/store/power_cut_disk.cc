#include "tests/fakes/store/power_cut_disk.h"

#include <algorithm>
#include <cstring>

#include "common/base/rng.h"

namespace coxswain::fakes {
namespace {

void Put(std::vector<uint8_t>& file, uint64_t at, const uint8_t* bytes, size_t n) {
  if (file.size() < at + n) file.resize(at + n);
  std::memcpy(file.data() + at, bytes, n);
}

// A write reaches the disk sector by sector, each whole, not at all, or torn.
void PutSome(std::vector<uint8_t>& file, const Pending& write, base::Rng& rng, bool powersafe) {
  for (size_t done = 0; done < write.bytes.size();) {
    uint64_t at = write.at + done;
    size_t n = std::min<size_t>(kSectorBytes - at % kSectorBytes, write.bytes.size() - done);
    uint64_t fate = rng.Below(8);
    if (fate < 3) {
      Put(file, at, write.bytes.data() + done, n);
    } else if (fate == 3) {
      Put(file, at, write.bytes.data() + done, rng.Below(n + 1));
    } else if (fate == 4) {
      // Torn so that it reads as noise; beyond the bytes written too, if the disk makes no promise.
      uint64_t from = powersafe ? at : at - at % kSectorBytes;
      size_t length = powersafe ? n : kSectorBytes;
      std::vector<uint8_t> noise(length);
      for (uint8_t& byte : noise) byte = static_cast<uint8_t>(rng.Next());
      Put(file, from, noise.data(), length);
    }
    done += n;
  }
}

}  // namespace

void DiskFile::Write(uint64_t at, const uint8_t* bytes, size_t n) {
  Put(current, at, bytes, n);
  pending.push_back({false, at, {bytes, bytes + n}});
}

void DiskFile::Truncate(uint64_t size) {
  current.resize(size);
  pending.push_back({true, size, {}});
}

void DiskFile::Sync() {
  for (const Pending& change :
       pending) {  // as the current content is made, but without copying it all
    if (change.truncate) {
      durable.resize(change.at);
    } else {
      Put(durable, change.at, change.bytes.data(), change.bytes.size());
    }
  }
  pending.clear();
}

std::vector<uint8_t> DiskFile::AfterCut(uint64_t seed, bool powersafe) const {
  base::Rng rng(seed);
  std::vector<uint8_t> file = durable;
  // Most often nearly all or nearly nothing of what was pending made it: both ends are the hard
  // ones.
  uint64_t style = rng.Below(4);
  for (const Pending& change : pending) {
    if (style == 0) break;                                  // forgotten whole
    bool whole = style == 1 && &change != &pending.back();  // written but for the last
    if (change.truncate) {
      if (whole || rng.Below(2) == 0) file.resize(change.at);
    } else if (whole) {
      Put(file, change.at, change.bytes.data(), change.bytes.size());
    } else {
      PutSome(file, change, rng, powersafe);
    }
  }
  return file;
}

}  // namespace coxswain::fakes
