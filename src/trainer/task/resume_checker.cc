#include "trainer/task/resume_checker.h"

#include <algorithm>
#include <map>

#include "trainer/blob/checkpoint_io.h"
#include "trainer/blob/text.h"
#include "trainer/engine/data/table/preprocessing.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;
using blob::TensorInfo;

constexpr char kKeys[] =
    "spec.model, spec.data.classes, spec.train.precision, spec.train.optimizer.name and whether "
    "there is a spec.train.ema have to be those of the job that saved it";

std::string Shape(const TensorInfo& tensor) {
  std::string out = Cat(ToString(tensor.dtype), " [");
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    out += Cat(i == 0 ? "" : ", ", tensor.shape[i]);
  }
  return out + "]";
}

std::string StateOf(const blob::Manifest& manifest, const char* key) {
  auto found = manifest.info.state.find(key);
  return found == manifest.info.state.end() ? "" : found->second;
}

absl::Status Refuse(const std::string& why) {
  return absl::InvalidArgumentError(Cat("resume_from: ", why));
}

// Empty: both are of a recipe, or both of a program.
std::string WhyOtherKind(const blob::Manifest& manifest, const ResumeJob& job) {
  const bool files = StateOf(manifest, "content") == "files";
  if (files == job.spec.HasProgram()) return "";
  return files ? "it was saved by a program (spec.command), and this job has a model (spec.model)"
               : "it was saved by a recipe (spec.model), and this job has a program (spec.command)";
}

// Empty: all tensors are there and none is left over.
std::string WhyOtherTensors(const blob::Manifest& manifest, const state::StateList& list) {
  std::map<std::string, const TensorInfo*> saved;
  for (const TensorInfo& tensor : manifest.tensors) saved[tensor.name] = &tensor;
  for (const TensorInfo& wanted : list.tensors) {
    auto found = saved.find(wanted.name);
    if (found == saved.end()) return Cat("it has no tensor '", wanted.name, "'; ", kKeys);
    if (!(*found->second == wanted)) {
      return Cat("its tensor '", wanted.name, "' is ", Shape(*found->second), ", this job's is ",
                 Shape(wanted), "; ", kKeys);
    }
    saved.erase(found);
  }
  if (saved.empty()) return "";
  return Cat("its tensor '", saved.begin()->first, "' has no place in this job; ", kKeys);
}

// The same for a table.
std::string WhyOtherTable(const blob::Manifest& manifest, const ResumeJob& job) {
  const std::string json = StateOf(manifest, "preprocessing");
  if (json.empty()) return "it was not trained on a table";
  auto saved = data::ParsePreprocessing(json);
  if (!saved.ok()) return std::string(saved.status().message());
  std::string other = data::WhyOtherColumns(*saved, *job.columns);
  if (!other.empty()) return other;
  if (job.spec.model.module.size() > 0) return WhyOtherTensors(manifest, job.list);
  // What a plugin makes of these columns shows when it does.
  if (job.spec.model.IsOwn()) return "";
  const data::SampleShape shape = saved->Shape();
  return WhyOtherTensors(
      manifest, state::ListState(job.spec, state::TableShape{shape.dense_size(), shape.categories,
                                                             std::max<int64_t>(1, shape.classes)}));
}

std::string NothingLeft(const blob::Manifest& manifest, const ResumeJob& job) {
  const config::Train& train = job.spec.train;
  bool done = (job.samples >= 0 && manifest.info.position >= job.samples * train.epochs) ||
              (train.max_steps > 0 && manifest.info.step >= train.max_steps);
  if (!done) return "";
  return Cat("nothing is left to train: the checkpoint is of step ", manifest.info.step,
             ", and the job ends there; for more, raise spec.train.epochs or "
             "spec.train.max_steps");
}

std::string OtherOrder(const blob::Manifest& manifest, const ResumeJob& job) {
  std::string seed = StateOf(manifest, "seed"), samples = StateOf(manifest, "samples");
  std::string differs;
  if (!seed.empty() && seed != std::to_string(job.spec.train.seed)) {
    differs = Cat("spec.train.seed is ", job.spec.train.seed, ", the checkpoint's is ", seed);
  }
  if (job.samples >= 0 && !samples.empty() && samples != std::to_string(job.samples)) {
    differs += Cat(differs.empty() ? "" : " and ", "there are ", job.samples,
                   " training samples, the checkpoint's job had ", samples);
  }
  if (differs.empty()) return "";
  return differs +
         ": samples come in another order than before, so in the epoch that was begun some may be "
         "used twice and others not at all";
}

// What there is to say where none can be used.
absl::StatusOr<std::string> NoneOfUse(const ResumeOrder& order, const absl::Status& first) {
  std::string why(first.message());
  if (order.elsewhere) {
    return Cat("resume_from: ", why,
               ", as seen from the machine that looked; it has to be on the one that runs the job");
  }
  if (absl::IsDataLoss(first) && !order.at_submit) return Cat("resume_from: ", why);
  return Refuse(
      Cat(why, "; give another one to --resume-from (`cox checkpoints JOB` lists a job's)"));
}

std::string Warning(const blob::Manifest& manifest, const ResumeJob& job) {
  std::string done = NothingLeft(manifest, job), order = OtherOrder(manifest, job);
  return done + (done.empty() || order.empty() ? "" : "; ") + order;
}

}  // namespace

absl::StatusOr<std::string> CheckResume(const ResumeOrder& order, const ResumeJob& job,
                                        const blob::StoreSettings& settings) {
  absl::Status first;
  for (const protocol::RestoreCandidate& candidate : order.candidates) {
    auto manifest = blob::InspectCheckpoint(candidate.uri, settings,
                                            {candidate.manifest_hash, order.uncommitted});
    const absl::Status& status = manifest.status();
    if (manifest.ok()) {
      std::string wrong = WhyOtherKind(*manifest, job);
      if (wrong.empty() && !job.spec.HasProgram()) {
        wrong = job.columns != nullptr ? WhyOtherTable(*manifest, job)
                                       : WhyOtherTensors(*manifest, job.list);
      }
      if (!wrong.empty()) return Refuse(Cat("the checkpoint ", candidate.uri, ": ", wrong));
      return job.spec.HasProgram() ? std::string() : Warning(*manifest, job);
    }
    bool unfit = blob::IsCorrupt(status) || absl::IsFailedPrecondition(status);
    if (!unfit) return absl::Status(status.code(), Cat("resume_from: ", status.message()));
    first.Update(status);
  }
  if (first.ok()) return "";
  return NoneOfUse(order, first);
}

}  // namespace coxswain::trainer::task
