#include "worker/runtime/worker_loop.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/environment.h"
#include "common/base/shim_protocol.h"
#include "common/base/version.h"
#include "common/config/quantities.h"
#include "common/log/log.h"
#include "worker/process/files.h"
#include "worker/process/processes.h"
#include "worker/process/rank_folder.h"
#include "worker/process/retention.h"
#include "worker/runtime/data_address.h"
#include "worker/runtime/machine.h"

namespace coxswain::worker {
namespace {

constexpr base::Duration kDiskEvery = base::seconds(10);
constexpr base::Duration kSweepEvery = std::chrono::hours(1);
constexpr base::Duration kKeepCode =
    std::chrono::hours(24 * 7);  // since a rank was started with it
constexpr base::Duration kKeepCodeShortDisk = std::chrono::minutes(10);
constexpr uint64_t kShortDiskShare = 16;  // of the metrics buffer that a short disk leaves

uint64_t RandomBits() {
  uint64_t bits = 0;
  while (getrandom(&bits, sizeof bits, 0) != sizeof bits) {
  }
  return bits;
}

}  // namespace

WorkerLoop::WorkerLoop(WorkerOptions options, DataFolder& folder)
    : options_(std::move(options)),
      folder_(folder),
      boot_id_(process::MachineBootId()),
      processes_(loop_, boot_id_) {}

WorkerLoop::~WorkerLoop() {
  gpus_.reset();
  if (link_) link_->Stop(base::Duration(0));
  if (gateway_) gateway_->Stop();
  if (slow_thread_.joinable()) {
    slow_loop_.Post([this] { slow_loop_.Quit(0); });
    slow_thread_.join();
  }
  for (int fd : task_lifeline_) {
    if (fd >= 0) close(fd);
  }
}

absl::Status WorkerLoop::Start() {
  core::Settings settings;
  settings.incarnation = base::Incarnation(RandomBits() | 1);
  settings.coordinator = options_.config.coordinator;
  if (absl::Status s = FillInventory(settings.inventory); !s.ok()) return s;
  surroundings_.inherited = base::OwnEnvironment();
  surroundings_.trainer_socket = folder_.path() + "/trainer.sock";
  surroundings_.address = settings.inventory.address;
  surroundings_.port_first = options_.config.trainer_port_first;
  surroundings_.port_last = options_.config.trainer_port_last;
  surroundings_.interface = options_.config.interface;
  if (pipe2(task_lifeline_, O_CLOEXEC) != 0) return process::ErrnoStatus(errno, "pipe");
  auto buffer = MetricsBuffer::Open(
      folder_.path() + "/metrics", static_cast<uint64_t>(options_.config.metrics_buffer), boot_id_);
  if (!buffer.ok()) return buffer.status();
  buffer_ = std::move(*buffer);
  relay_.emplace(*buffer_, [this](protocol::MetricBatch& batch) { return SendBulk(batch); });
  logs_.emplace(loop_,
                LogRelay::Doors{[this](const protocol::RankKey& key) {
                                  return process::RankFolder(folder_.path(), key);
                                },
                                [this](const protocol::RankKey& key) { return core_->Lives(key); },
                                [this](protocol::LogData& data) { return SendBulk(data); }});
  slow_thread_ = std::thread([this] { slow_loop_.Run(); });

  std::vector<core::FoundRank> found;
  std::vector<std::function<void()>> adopt;
  FindRanks(found, adopt);
  core_.emplace(std::move(settings), folder_.identity(), std::move(found));
  for (auto& call : adopt) call();
  WatchSignalsAndLifeline();
  code_ = std::make_unique<CodeCache>(folder_.path() + "/code",
                                      MakeCodeSource(SettingsOfCoordinator()));
  if (absl::Status s = StartGateway(); !s.ok()) return s;
  StartGpuWatch();
  WatchDisk();
  SweepFolders(false);
  log::Info(absl::StrCat("node ", folder_.identity().node.value, ", ", core_->inventory().cpu_slots,
                         " CPU slots, data in ", folder_.path()));
  StartLink();
  return absl::OkStatus();
}

int WorkerLoop::Run() { return loop_.Run(); }

absl::Status WorkerLoop::FillInventory(protocol::Inventory& inventory) const {
  const config::WorkerConfig& config = options_.config;
  inventory.name = config.name.empty() ? HostName() : config.name;
  inventory.cpu_slots = config.cpu_slots != 0 ? config.cpu_slots : UsableCpus();
  inventory.memory_bytes = MemoryBytes();
  inventory.labels = config.labels;
  inventory.version = base::kVersion;
  inventory.boot_id = boot_id_;
  if (!config.gpus) inventory.gpu_note = "not offered (gpus: false)";
  auto address = AdvertisedAddress(config.advertise_address, config.interface, config.coordinator);
  if (address.ok()) {
    inventory.address = *address;
    auto coordinator = config::ParseHostPort(config.coordinator);
    if (config::IsLoopback(*address) && coordinator && !config::IsLoopback(coordinator->host)) {
      log::Warn(absl::StrCat("ranks of this machine are reached under ", *address, ", which only ",
                             "this machine reaches: set advertise_address to another of its own"));
    }
    return absl::OkStatus();
  }
  if (!config.interface.empty()) return address.status();
  log::Warn(absl::StrCat(address.status().message(), ": ranks of this machine are reached under ",
                         "127.0.0.1 only; set advertise_address"));
  inventory.address = "127.0.0.1";
  return absl::OkStatus();
}

void WorkerLoop::FindRanks(std::vector<core::FoundRank>& found,
                           std::vector<std::function<void()>>& adopt) {
  for (const std::string& folder : process::FindRankFolders(folder_.path())) {
    auto record = process::ReadRankFolder(folder);
    if (!record.ok()) {
      log::Warn(absl::StrCat("a rank's folder is left aside: ", record.status().message()));
      continue;
    }
    core::FoundRank rank;
    rank.start = record->start;
    std::string text = process::ReadFile(folder + "/" + base::kRankProcessFile).value_or("");
    if (auto identity = base::DecodeIdentity(text)) rank.pid = identity->pid;
    // The lock is looked at first: a shim writes its record before it lets go of it.
    bool lives = process::ShimLives(folder);
    rank.exit = process::ReadExit(folder);
    if (!rank.exit && lives) {
      log::Info(
          absl::StrCat("rank ", core::ToString(rank.start.key), " still runs, pid ", rank.pid));
      adopt.push_back([this, folder, start = record->start, boot_id = record->boot_id] {
        processes_.Adopt(folder, boot_id, RankEvents(start));
      });
    } else if (!rank.exit) {
      rank.exit = process::LostExit(folder, record->boot_id, boot_id_);
    }
    found.push_back(std::move(rank));
  }
}

void WorkerLoop::WatchSignalsAndLifeline() {
  loop_.Watch(options_.signal_fd, [this] {
    signalfd_siginfo info;
    if (read(options_.signal_fd, &info, sizeof info) == sizeof info) Feed(core::StopRequested{});
  });
  if (options_.lifeline_fd < 0) return;
  fcntl(options_.lifeline_fd, F_SETFD, FD_CLOEXEC);
  loop_.Watch(options_.lifeline_fd, [this] {
    char byte;
    if (read(options_.lifeline_fd, &byte, 1) > 0) return;
    loop_.Forget(options_.lifeline_fd);
    Feed(core::LifelineClosed{});
  });
}

absl::Status WorkerLoop::StartGateway() {
  gateway_ = MakeTrainerGateway();
  TrainerEvents events;
  events.connected = [this](ConnectionId id, const TrainerIdentity& identity) {
    loop_.Post([this, id, identity] { Feed(core::TrainerConnected{id, identity}); });
  };
  events.report = [this](ConnectionId id, protocol::TrainerReport report) {
    loop_.Post([this, id, report = std::move(report)]() mutable {
      Feed(core::TrainerReported{id, std::move(report)});
    });
  };
  events.metrics = [this](ConnectionId id, uint64_t sequence,
                          std::vector<protocol::MetricPoint> points, uint64_t dropped) {
    loop_.Post([this, id, sequence, points = std::move(points), dropped]() mutable {
      TakeMetrics(id, sequence, std::move(points), dropped);
    });
  };
  events.task_ended = [this](ConnectionId id, protocol::TaskEnded ended) {
    loop_.Post([this, id, ended = std::move(ended)]() mutable {
      Feed(core::TaskReported{id, std::move(ended)});
    });
  };
  events.find_code = [this](const std::string& code) { return code_->Find(code); };
  events.disconnected = [this](ConnectionId id) {
    loop_.Post([this, id] { Feed(core::TrainerDisconnected{id}); });
  };
  return gateway_->Start(surroundings_.trainer_socket, std::move(events));
}

CoordinatorSettings WorkerLoop::SettingsOfCoordinator() const {
  CoordinatorSettings settings;
  settings.address = options_.config.coordinator;
  settings.token = options_.token;
  return settings;
}

void WorkerLoop::StartLink() {
  link_ = MakeCoordinatorLink(SettingsOfCoordinator());
  CoordinatorEvents events;
  events.connected = [this] { loop_.Post([this] { Feed(core::LinkConnected{}); }); };
  events.order = [this](base::Term term, protocol::WorkerOrder order) {
    loop_.Post([this, term, order = std::move(order)]() mutable {
      Feed(core::OrderReceived{term, std::move(order)});
    });
  };
  events.disconnected = [this](const LinkLoss& loss) {
    loop_.Post([this, loss] { Feed(core::LinkDisconnected{loss.reason, loss.token_refused}); });
  };
  events.drained = [this] {
    loop_.Post([this] {
      relay_->Pump();
      logs_->Pump();
    });
  };
  link_->Start(std::move(events));
}

void WorkerLoop::StartGpuWatch() {
  if (!options_.config.gpus) return;
  gpu::GpuWatch::Settings settings;
  settings.library = options_.config.nvml_library;
  gpus_.emplace(settings, [this](const gpu::Observation& seen) {
    loop_.Post([this, seen] { Feed(core::GpusObserved{seen.gpus, seen.note}); });
  });
}

// Whether the data directory can be written is tried where a slow disk holds nothing up.
void WorkerLoop::LookAtDisk(std::function<void()> then) {
  slow_loop_.Post([this, path = folder_.path(), then = std::move(then)] {
    std::string problem(process::TryToWrite(path).message());
    loop_.Post([this, problem, then] {
      CheckDisk(problem);
      then();
    });
  });
}

void WorkerLoop::WatchDisk() {
  LookAtDisk([this] { loop_.After(kDiskEvery, [this] { WatchDisk(); }); });
}

void WorkerLoop::CheckDisk(const std::string& write_problem) {
  DiskSpace space = SpaceOn(folder_.path());
  auto full_buffer = static_cast<uint64_t>(options_.config.metrics_buffer);
  core::ConditionsObserved seen;
  if (space.Short()) {
    int64_t used = 100 - space.free_bytes * 100 / space.total_bytes;
    seen.conditions.push_back(absl::StrCat("disk ", used, " % full: ", folder_.path()));
  }
  if (!write_problem.empty()) {
    seen.why_no_work = absl::StrCat("unable to write its data directory ", write_problem);
  }
  if (seen.why_no_work.empty() != core_->inventory().why_no_work.empty()) {
    log::Warn(write_problem.empty() ? "the data directory can be written again"
                                    : absl::StrCat("this machine is ", seen.why_no_work));
  }
  bool news = seen.conditions.empty() != core_->inventory().conditions.empty();
  if (news && space.Short()) {
    log::Warn(absl::StrCat(seen.conditions[0], ": old logs and metrics are shed, free some space"));
    SweepFolders(true);
  }
  buffer_->SetLimit(space.Short() ? full_buffer / kShortDiskShare : full_buffer);
  Feed(std::move(seen));
}

void WorkerLoop::SweepFolders(bool disk_short) {
  const config::KeepBytes& keep = options_.config.rank_logs;
  process::Retention retention{keep.age, keep.size, disk_short};
  slow_loop_.Post([this, path = folder_.path(), retention] {
    int removed = process::RemoveOldFolders(path, retention, base::WallNow());
    if (removed > 0) log::Info(absl::StrCat("removed the logs of ", removed, " old jobs"));
    code_->RemoveOld(retention.disk_short ? kKeepCodeShortDisk : kKeepCode);
  });
  if (!disk_short) loop_.After(kSweepEvery, [this] { SweepFolders(false); });
}

void WorkerLoop::TakeMetrics(ConnectionId connection, uint64_t sequence,
                             std::vector<protocol::MetricPoint> points, uint64_t dropped) {
  std::optional<protocol::RankKey> key = core_->RankOn(connection);
  if (!key) return;  // refused, or its rank has ended
  absl::Status stored = buffer_->Append(key->job, std::move(points), dropped);
  std::string problem(stored.message());
  if (problem != metrics_problem_ && !stored.ok()) {
    log::Warn(absl::StrCat("metric points are lost: ", problem));
  }
  metrics_problem_ = problem;
  gateway_->AcknowledgeMetrics(connection, sequence);
  relay_->Pump();
}

void WorkerLoop::Feed(core::EventBody body) {
  if (exit_) return;
  core::Event event{base::MonotonicNow(), base::WallNow(), RandomBits(), std::move(body)};
  Execute(core_->Decide(event));
  if (const auto* ended = std::get_if<core::RankEnded>(&event.body)) logs_->RankEnded(ended->key);
  ArmTimer();
}

void WorkerLoop::ArmTimer() {
  std::optional<base::Time> due = core_->NextDeadline();
  if (!due || (armed_ && *armed_ <= *due)) return;
  armed_ = due;
  loop_.At(*due, [this, due] {
    if (armed_ == due) armed_.reset();
    Feed(core::TimePassed{});
  });
}

}  // namespace coxswain::worker
