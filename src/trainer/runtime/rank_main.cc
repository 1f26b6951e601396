#include "trainer/runtime/rank_main.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>

#include "common/base/environment.h"
#include "common/config/job_parser.h"
#include "common/log/log.h"
#include "trainer/engine/pretrained/model_folder.h"
#include "trainer/runtime/engine_host.h"
#include "trainer/runtime/engine_loop.h"
#include "trainer/runtime/job_data.h"
#include "trainer/runtime/own_model.h"
#include "trainer/runtime/program_loop.h"
#include "trainer/runtime/shell.h"
#include "trainer/state/flops.h"

namespace coxswain::trainer {
namespace {

// Data may be on a store that is away for a while.
constexpr blob::RetryPolicy kDataPolicy{base::milliseconds(200), base::seconds(2),
                                        base::seconds(60)};

blob::StoreSettings StoreSettingsOf(const config::JobSpec& spec) {
  blob::StoreSettings out;
  out.endpoint = spec.checkpoint.endpoint;
  out.region = spec.checkpoint.region;
  return out;
}

core::Settings CoreSettingsOf(const RankSettings& settings) {
  core::Settings out;
  out.rank = settings.rank;
  out.incarnation = settings.incarnation;
  out.save_every_steps = settings.spec.checkpoint.every_steps;
  out.save_every_time = settings.spec.checkpoint.every_time;
  out.saves = settings.saves && !settings.store.empty();
  if (auto best = settings.spec.checkpoint.best) {
    out.keeps_best = true;
    out.higher_is_best = config::HigherIsBetter(*best);
    out.exports_best = settings.spec.checkpoint.export_best;
  }
  out.own_program = settings.spec.HasProgram();
  out.exports = !settings.store.empty() && !out.own_program;
  out.grace = settings.spec.grace;
  return out;
}

CheckpointFacts FactsOf(const RankSettings& settings) {
  size_t slash = settings.state_prefix.rfind('/');
  CheckpointFacts facts;
  facts.cluster = slash == std::string::npos ? "" : settings.state_prefix.substr(0, slash);
  facts.job =
      slash == std::string::npos ? settings.state_prefix : settings.state_prefix.substr(slash + 1);
  facts.spec_digest = blob::HashHex(settings.spec_yaml);
  facts.seed = settings.spec.train.seed;
  facts.store = settings.store;
  return facts;
}

// So that whoever waits for this process sees how the program ended.
void EndBySignal(int number) {
  signal(number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);  // it has written its own
  raise(number);
}

// Of training on one sample, by what it is made of.
double FlopsOf(const config::JobSpec& spec, const data::SampleShape& shape) {
  if (shape.sequence > 0) {
    return state::FlopsPerSample(spec, config::TextShape{shape.sequence, shape.vocabulary});
  }
  if (shape.dense.size() == 3) {
    const state::ImageShape image{shape.dense[0], shape.dense[1], shape.dense[2]};
    return state::FlopsPerSample(spec, image);
  }
  return state::FlopsPerSample(spec, state::TableShape{shape.dense_size(), shape.categories,
                                                       std::max<int64_t>(1, shape.classes)});
}

// Everything that one rank's process is made of; lives until the process ends.
struct RankProcess {
  RankProcess(RankSettings given, ListenSocket bound, std::unique_ptr<TrainerLink> to_worker)
      : settings(std::move(given)),
        socket(std::move(bound)),
        link(std::move(to_worker)),
        shell(CoreSettingsOf(settings)),
        metrics(settings.spec.train.log_every_steps),
        checkpoints(StoreSettingsOf(settings.spec), FactsOf(settings),
                    [this](const core::Event& event) { shell.Handle(event); }),
        restorer(StoreSettingsOf(settings.spec)) {}

  void StartShell();
  // What a model that begins with another's weights begins with.
  absl::StatusOr<std::unique_ptr<engine::SavedState>> FirstState();
  std::optional<core::EngineFailed> PrepareEngine();
  std::string WaitingFor();
  [[noreturn]] void ServeEngine();
  [[noreturn]] void ServeProgram();

  RankSettings settings;
  ListenSocket socket;
  std::unique_ptr<TrainerLink> link;
  Shell shell;
  MetricRecorder metrics;
  CheckpointWork checkpoints;
  Restorer restorer;
  std::unique_ptr<JobData> data;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<ProgramLoop> program;  // instead of the engine; null: the job trains a recipe
  std::atomic<engine::Engine*> loaded{nullptr};  // set once `engine` is ready for other threads
  std::shared_ptr<blob::Patience> data_patience =
      std::make_shared<blob::Patience>(kDataPolicy, "data");
};

void RankProcess::StartShell() {
  ShellDoors doors;
  doors.link = link.get();
  doors.abort_group = [this] {
    if (program) return program->Abort();
    if (engine::Engine* ready = loaded) ready->Abort();
  };
  doors.store_work = [this](const core::Action& action) { checkpoints.Do(action); };
  doors.phase = [this] {
    if (program) return program->phase();
    engine::Engine* ready = loaded;
    return ready == nullptr ? protocol::Phase::kStarting : ready->phase();
  };
  doors.waiting_for = [this] { return WaitingFor(); };
  doors.take_metrics = [this] { return program ? program->TakeMetrics() : metrics.Take(); };
  // No destructors: LibTorch's threads may be anywhere, and nothing is left to be written.
  doors.leave = [](const core::Exit& exit) {
    if (exit.signal != 0) EndBySignal(exit.signal);
    std::_Exit(exit.code);
  };
  shell.Start(std::move(doors), socket.address());
}

std::string RankProcess::WaitingFor() {
  if (std::string data = data_patience->waiting_for(); !data.empty()) return data;
  if (std::string restore = restorer.waiting_for(); !restore.empty()) return restore;
  if (program) {
    if (std::string code = program->WaitingFor(); !code.empty()) return code;
  }
  return checkpoints.waiting_for();
}

absl::StatusOr<std::unique_ptr<engine::SavedState>> RankProcess::FirstState() {
  std::vector<blob::TensorInfo> wanted = engine->StateTensors();
  wanted.resize(engine->ModelTensorCount());
  blob::StoreSettings store = StoreSettingsOf(settings.spec);
  store.patience = data_patience;
  auto read = pretrained::ReadWeights(
      settings.spec.model.from, pretrained::WithoutNewHead(settings.spec.model, wanted), store);
  if (!read.ok()) return read.status();
  auto weights = std::make_shared<pretrained::Weights>(*std::move(read));
  // What begins anew is as the engine has made it.
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& there = weights->tensors;
    if (std::find(there.begin(), there.end(), wanted[i]) != there.end()) continue;
    weights->data.push_back(std::make_unique_for_overwrite<char[]>(wanted[i].bytes()));
    std::memcpy(weights->data.back().get(), engine->StateBytes(i), wanted[i].bytes());
    weights->tensors.push_back(wanted[i]);
  }
  auto state = std::make_unique<engine::SavedState>();
  state->tensors = weights->tensors;
  state->bytes = [weights](size_t i) { return weights->data[i].get(); };
  state->model_only = true;
  return state;
}

std::optional<core::EngineFailed> RankProcess::PrepareEngine() {
  absl::StatusOr<config::Model> model;
  absl::StatusOr<std::shared_ptr<const std::string>> own_model;
  auto reading = std::async(std::launch::async, [this, &model, &own_model] {
    blob::StoreSettings store = StoreSettingsOf(settings.spec);
    store.patience = data_patience;
    model = pretrained::ResolveModel(settings.spec.model, store);
    own_model = ReadOwnModel(settings.spec.model, store);
    JobPlace place;
    if (settings.owns_folder) place = {settings.store, settings.state_prefix};
    return ReadJobData(settings.spec.data, place, store);
  });
  auto loading = LoadEngine();
  auto read = reading.get();
  if (!read.ok()) return FailureOf(read.status(), protocol::FailureKind::kData);
  if (!loading.ok()) {  // what this machine lacks, another may have
    return core::EngineFailed{std::string(loading.status().message()),
                              protocol::kExitInfrastructure, protocol::FailureKind::kNotStarted};
  }
  if (!model.ok()) return FailureOf(model.status(), protocol::FailureKind::kSettings);
  if (!own_model.ok()) return FailureOf(own_model.status(), protocol::FailureKind::kSettings);
  settings.spec.model = *std::move(model);
  data = *std::move(read);
  checkpoints.SetPreprocessing(data->preprocessing);
  engine = *std::move(loading);
  engine::EngineSettings to_engine;
  to_engine.spec = settings.spec;
  to_engine.model_file = *std::move(own_model);
  to_engine.threads = settings.cpus;
  to_engine.address = settings.address;
  base::Deadlines deadlines;
  to_engine.form_limit = deadlines.FormGroup();
  to_engine.collective_limit = deadlines.Collective();
  engine::Datasets sets{data->train.get(), data->evaluate.get()};
  absl::Status prepared = engine->Prepare(to_engine, sets);
  if (!prepared.ok()) return FailureOf(prepared, protocol::FailureKind::kSettings);
  const std::string gpu = engine->GpuName();
  const double peak = gpu.empty() ? 0 : state::PeakFlops(gpu, settings.spec.train.precision);
  MetricRecorder::Work work{FlopsOf(settings.spec, data->train->shape()),
                            peak * settings.spec.workers};
  if (!gpu.empty()) work.gpu_memory = [this] { return engine->GpuPeakMemory(); };
  metrics.SetWork(work);
  if (!gpu.empty()) log::Info("this rank trains on " + gpu);
  loaded = engine.get();
  return std::nullopt;
}

std::unique_ptr<ProgramLoop> MakeProgram(RankProcess& process) {
  ProgramDoors doors;
  doors.checkpoints = &process.checkpoints;
  doors.restorer = &process.restorer;
  doors.find_code = process.settings.find_code;
  doors.free_port = [&process] { process.socket = ListenSocket(); };
  doors.spec = process.settings.spec;
  doors.place = process.settings.place;
  doors.environment = base::OwnEnvironment();
  doors.folder = process.settings.folder;
  return std::make_unique<ProgramLoop>(std::move(doors));
}

void RankProcess::ServeProgram() {
  while (true) shell.Handle(program->Execute(shell.NextCommand()));
}

void RankProcess::ServeEngine() {
  EngineDoors doors;
  doors.engine = engine.get();
  doors.checkpoints = &checkpoints;
  doors.restorer = &restorer;
  doors.metrics = &metrics;
  doors.store_fd = socket.fd();
  doors.store = settings.store;
  doors.preprocessing = data->preprocessing;
  doors.model_folder = settings.state_prefix + (settings.state_prefix.empty() ? "" : "/") + "model";
  doors.store_settings = StoreSettingsOf(settings.spec);
  doors.tokenizer_json = data->tokenizer_json;
  if (!settings.spec.model.from.empty()) doors.begin_from = [this] { return FirstState(); };
  EngineLoop loop(std::move(doors));
  while (true) shell.Handle(loop.Execute(shell.NextCommand()));
}

}  // namespace

void BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGPIPE}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

absl::StatusOr<ParsedSpec> ReadSpec(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError("cannot read the job file " + path);
  auto parsed = config::ParseJob(text.str(), path, {});
  if (auto* mistakes = std::get_if<std::vector<config::Mistake>>(&parsed)) {
    return absl::InvalidArgumentError(config::ToString(*mistakes));
  }
  auto& job = std::get<config::ParsedJob>(parsed);
  return ParsedSpec{std::move(job.spec), std::move(job.yaml)};
}

void RunRank(RankSettings settings, ListenSocket socket, std::unique_ptr<TrainerLink> link) {
  // Activations are freed and allocated again in each step: keep their pages.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  // Never destroyed: the process ends from the shell's thread.
  auto* process = new RankProcess(std::move(settings), std::move(socket), std::move(link));
  const bool own_program = process->settings.spec.HasProgram();
  if (own_program) process->program = MakeProgram(*process);
  process->StartShell();
  if (own_program) {
    if (auto failed = process->program->PrepareCode()) process->shell.Handle(*failed);
    process->ServeProgram();
  }
  if (auto failed = process->PrepareEngine()) {
    process->shell.Handle(*failed);
    while (true) process->shell.NextCommand();  // there is nothing to obey with; the shell ends us
  }
  process->ServeEngine();
}

}  // namespace coxswain::trainer
