#include "tests/fakes/store/power_cut_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "common/base/rng.h"
#include "tests/fakes/store/power_cut_disk.h"

namespace coxswain::fakes {
namespace {

using State = PowerCutDisk::State;

// SQLite allocates it; constructed and destroyed by hand in Open and Close.
struct OpenFile {
  sqlite3_file base;
  State* disk;
  std::shared_ptr<DiskFile>* file;
  std::string* name;  // empty: a temporary file of no name
  bool delete_on_close;
  bool sync_folder;  // the first sync also makes names durable, as SQLite's own VFS does
  int lock;
  uint16_t shm_shared, shm_exclusive;
};
OpenFile* Of(sqlite3_file* f) { return reinterpret_cast<OpenFile*>(f); }
DiskFile& FileOf(sqlite3_file* f) { return **Of(f)->file; }
State* DiskOf(sqlite3_vfs* vfs) { return static_cast<State*>(vfs->pAppData); }

int Close(sqlite3_file* f) {
  OpenFile* open = Of(f);
  if (open->delete_on_close && !open->name->empty()) {
    std::lock_guard lock(open->disk->mutex);
    open->disk->files.erase(*open->name);
  }
  delete open->file;
  delete open->name;
  return SQLITE_OK;
}

int Read(sqlite3_file* f, void* out, int n, sqlite3_int64 at) {
  std::lock_guard lock(Of(f)->disk->mutex);
  const std::vector<uint8_t>& bytes = FileOf(f).current;
  size_t have = static_cast<size_t>(at) >= bytes.size()
                    ? 0
                    : std::min<size_t>(n, bytes.size() - static_cast<size_t>(at));
  if (have > 0) std::memcpy(out, bytes.data() + at, have);
  if (have == static_cast<size_t>(n)) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + have, 0, n - have);
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* f, const void* bytes, int n, sqlite3_int64 at) {
  {
    std::lock_guard lock(Of(f)->disk->mutex);
    FileOf(f).Write(at, static_cast<const uint8_t*>(bytes), n);
  }
  Of(f)->disk->Changing();
  return SQLITE_OK;
}

int Truncate(sqlite3_file* f, sqlite3_int64 size) {
  {
    std::lock_guard lock(Of(f)->disk->mutex);
    FileOf(f).Truncate(size);
  }
  Of(f)->disk->Changing();
  return SQLITE_OK;
}

int Sync(sqlite3_file* f, int) {
  State* disk = Of(f)->disk;
  disk->Changing();
  if (disk->fail_syncs) return SQLITE_IOERR_FSYNC;
  std::lock_guard lock(disk->mutex);
  FileOf(f).Sync();
  if (std::exchange(Of(f)->sync_folder, false)) disk->durable_names = disk->files;
  return SQLITE_OK;
}

int FileSize(sqlite3_file* f, sqlite3_int64* size) {
  std::lock_guard lock(Of(f)->disk->mutex);
  *size = static_cast<sqlite3_int64>(FileOf(f).current.size());
  return SQLITE_OK;
}

int Lock(sqlite3_file* f, int level) {
  OpenFile* open = Of(f);
  std::lock_guard lock(open->disk->mutex);
  DiskFile& file = FileOf(f);
  if (open->lock >= level) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) {
    if (file.writing || file.pending_lock) return SQLITE_BUSY;
    ++file.readers;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (file.reserved) return SQLITE_BUSY;
    file.reserved = true;
  } else {
    file.pending_lock = true;
    if (file.readers > 1) return SQLITE_BUSY;
    file.reserved = file.writing = true;
  }
  open->lock = level;
  return SQLITE_OK;
}

int Unlock(sqlite3_file* f, int level) {
  OpenFile* open = Of(f);
  std::lock_guard lock(open->disk->mutex);
  DiskFile& file = FileOf(f);
  if (open->lock >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED) {
    file.reserved = file.writing = file.pending_lock = false;
  }
  if (open->lock >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED) --file.readers;
  open->lock = std::min(open->lock, level);
  return SQLITE_OK;
}

int CheckReserved(sqlite3_file* f, int* reserved) {
  std::lock_guard lock(Of(f)->disk->mutex);
  *reserved = FileOf(f).reserved;
  return SQLITE_OK;
}

int Control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int SectorSize(sqlite3_file*) { return kSectorBytes; }
int Characteristics(sqlite3_file* f) {
  return Of(f)->disk->options.powersafe_overwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

int ShmMap(sqlite3_file* f, int region, int bytes, int extend, void volatile** out) {
  std::lock_guard lock(Of(f)->disk->mutex);
  auto& regions = FileOf(f).regions;
  *out = nullptr;
  if (static_cast<size_t>(region) >= regions.size()) {
    if (!extend) return SQLITE_OK;
    while (static_cast<size_t>(region) >= regions.size()) {
      regions.push_back(std::make_unique<uint8_t[]>(bytes));
    }
  }
  *out = regions[region].get();
  return SQLITE_OK;
}

int ShmLock(sqlite3_file* f, int offset, int n, int flags) {
  OpenFile* open = Of(f);
  std::lock_guard lock(open->disk->mutex);
  DiskFile& file = FileOf(f);
  const bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
  const bool take = flags & SQLITE_SHM_LOCK;
  for (int i = offset; take && i < offset + n; ++i) {
    int others = file.shared[i] - ((open->shm_shared >> i) & 1);
    bool excluded = file.exclusive[i] && !((open->shm_exclusive >> i) & 1);
    if (excluded || (exclusive && others > 0)) return SQLITE_BUSY;
  }
  for (int i = offset; i < offset + n; ++i) {
    uint16_t bit = static_cast<uint16_t>(1 << i);
    uint16_t& mine = exclusive ? open->shm_exclusive : open->shm_shared;
    if (take == static_cast<bool>(mine & bit)) continue;
    mine = take ? mine | bit : mine & ~bit;
    if (exclusive) {
      file.exclusive[i] = take;
    } else {
      file.shared[i] += take ? 1 : -1;
    }
  }
  return SQLITE_OK;
}

void ShmBarrier(sqlite3_file* f) { std::lock_guard lock(Of(f)->disk->mutex); }

int ShmUnmap(sqlite3_file* f, int forget) {
  std::lock_guard lock(Of(f)->disk->mutex);
  if (forget) FileOf(f).regions.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    2,        Close,         Read,    Write,      Truncate,        Sync,   FileSize, Lock,
    Unlock,   CheckReserved, Control, SectorSize, Characteristics, ShmMap, ShmLock,  ShmBarrier,
    ShmUnmap, nullptr,       nullptr};

int Open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* f, int flags, int* out_flags) {
  State* disk = DiskOf(vfs);
  std::string name = path == nullptr ? "" : path;
  bool created = false;
  OpenFile* open = Of(f);
  std::memset(open, 0, sizeof(*open));
  {
    std::lock_guard lock(disk->mutex);
    std::shared_ptr<DiskFile> file = std::make_shared<DiskFile>();
    if (auto it = disk->files.find(name); it != disk->files.end()) {
      file = it->second;
    } else if (!(flags & SQLITE_OPEN_CREATE)) {
      return SQLITE_CANTOPEN;
    } else if (!name.empty()) {
      disk->files[name] = file;
      created = true;
    }
    open->disk = disk;
    open->file = new std::shared_ptr<DiskFile>(std::move(file));
    open->name = new std::string(name);
    open->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
    constexpr int kSyncsFolder =
        SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    open->sync_folder = (flags & SQLITE_OPEN_CREATE) && (flags & kSyncsFolder);
    open->base.pMethods = &kMethods;
  }
  if (created) disk->Changing();
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  State* disk = DiskOf(vfs);
  {
    std::lock_guard lock(disk->mutex);
    if (disk->files.erase(path) == 0) return SQLITE_IOERR_DELETE_NOENT;
  }
  disk->Changing();
  std::lock_guard lock(disk->mutex);
  if (sync_folder && !disk->fail_syncs) disk->durable_names = disk->files;
  return SQLITE_OK;
}

int Access(sqlite3_vfs* vfs, const char* path, int, int* found) {
  std::lock_guard lock(DiskOf(vfs)->mutex);
  *found = DiskOf(vfs)->files.contains(path);
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* path, int n, char* out) {
  sqlite3_snprintf(n, out, "%s", path);
  return SQLITE_OK;
}

sqlite3_vfs* Real() { return sqlite3_vfs_find(nullptr); }
int Randomness(sqlite3_vfs*, int n, char* out) { return Real()->xRandomness(Real(), n, out); }
int Sleep(sqlite3_vfs*, int us) { return Real()->xSleep(Real(), us); }
int CurrentTime(sqlite3_vfs*, double* now) { return Real()->xCurrentTime(Real(), now); }
int LastError(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

PowerCutDisk::PowerCutDisk(std::string name, PowerCutOptions options, Image image)
    : state_(std::make_shared<State>()) {
  state_->name = std::move(name);
  state_->options = options;
  for (auto& [path, bytes] : image) {
    auto file = std::make_shared<DiskFile>();
    file->durable = file->current = std::move(bytes);
    state_->files[path] = state_->durable_names[path] = std::move(file);
  }
  auto* vfs = new sqlite3_vfs{};
  vfs->iVersion = 1;
  vfs->szOsFile = sizeof(OpenFile);
  vfs->mxPathname = 256;
  vfs->zName = state_->name.c_str();
  vfs->pAppData = state_.get();
  vfs->xOpen = Open;
  vfs->xDelete = Delete;
  vfs->xAccess = Access;
  vfs->xFullPathname = FullPathname;
  vfs->xRandomness = Randomness;
  vfs->xSleep = Sleep;
  vfs->xCurrentTime = CurrentTime;
  vfs->xGetLastError = LastError;
  sqlite3_vfs_register(vfs, 0);
}

PowerCutDisk::~PowerCutDisk() {
  sqlite3_vfs* vfs = sqlite3_vfs_find(state_->name.c_str());
  sqlite3_vfs_unregister(vfs);
  delete vfs;
}

const std::string& PowerCutDisk::name() const { return state_->name; }
void PowerCutDisk::OnWrite(std::function<void(uint64_t)> hook) { state_->hook = std::move(hook); }
uint64_t PowerCutDisk::writes() const { return state_->writes; }
void PowerCutDisk::FailSyncs(bool fail) { state_->fail_syncs = fail; }

PowerCutDisk::Image PowerCutDisk::ImageAfterCut(uint64_t seed) const {
  base::Rng rng(seed);
  std::lock_guard lock(state_->mutex);
  // Each name made or removed since the folder was last synced may or may not be found.
  auto names = state_->durable_names;
  for (const auto& [name, file] : state_->files) {
    if (!names.contains(name) && rng.Below(2) == 0) names[name] = file;
  }
  for (const auto& [name, file] : state_->durable_names) {
    if (!state_->files.contains(name) && rng.Below(2) == 0) names.erase(name);
  }
  Image image;
  for (const auto& [name, file] : names) {
    image[name] = file->AfterCut(rng.Next(), state_->options.powersafe_overwrite);
  }
  return image;
}

}  // namespace coxswain::fakes
