// An SQLite VFS over memory that behaves like a disk whose power is cut: what was not synced may be
// there, be gone or be torn, write by write and sector by sector, and so may files made or deleted.
//
//   PowerCutDisk disk("disk-1", options);        // registered as a VFS of that name
//   ... use SQLite with vfs "disk-1" ...
//   disk.OnWrite([&](uint64_t n) { ... disk.ImageAfterCut(seed) ... });
//   PowerCutDisk after("disk-2", options, image); // the same disk after the cut
//
// Thread-safe, except that OnWrite must be set while nothing uses the disk. The hook runs before
// the n-th change (write, truncation, sync, creation, deletion; from 1 on) takes effect on the
// disk, on the thread that makes it, without the disk's lock: a cut then may tear that very change.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace coxswain::fakes {

struct PowerCutOptions {
  // What SQLite assumes by default: a cut during a write leaves the bytes beside it alone. False:
  // the disk says it is not so, and a torn sector may hold anything.
  bool powersafe_overwrite = true;
};

class PowerCutDisk {
 public:
  // Files by name: what a disk holds.
  using Image = std::map<std::string, std::vector<uint8_t>>;

  PowerCutDisk(std::string name, PowerCutOptions options, Image image = {});
  ~PowerCutDisk();  // every connection must be closed
  PowerCutDisk(const PowerCutDisk&) = delete;

  const std::string& name() const;
  void OnWrite(std::function<void(uint64_t n)> hook);
  uint64_t writes() const;
  // A sync that has been asked for fails from now on, as after an I/O error.
  void FailSyncs(bool fail);

  // What could be found if the power were cut now; the same seed gives the same image.
  Image ImageAfterCut(uint64_t seed) const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace coxswain::fakes
