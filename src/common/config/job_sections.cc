#include "common/config/job_sections.h"

#include <algorithm>

#include "common/base/ids.h"
#include "common/config/data_section.h"
#include "common/config/evaluation_section.h"
#include "common/config/job_parser.h"
#include "common/config/model_section.h"
#include "common/config/program_section.h"
#include "common/config/quantities.h"
#include "common/config/train_section.h"

namespace coxswain::config {
namespace {

using base::seconds;
constexpr auto kDay = std::chrono::hours(24);
constexpr int64_t kMost = 1'000'000'000;
constexpr int64_t kLargestMemory = int64_t{64} << 40;
constexpr uint32_t kMostWorkers = 4096;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsWordCharacter(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

// The name as it could have been: lower case, '-' for everything else.
std::string ValidName(const std::string& name) {
  std::string valid;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!IsLowerOrDigit(c)) c = '-';
    if (c != '-' || (!valid.empty() && valid.back() != '-')) valid += c;
  }
  valid = valid.substr(0, 63);
  while (!valid.empty() && valid.back() == '-') valid.pop_back();
  return valid;
}

void CheckName(Section& in, const std::string& name) {
  const bool characters =
      std::all_of(name.begin(), name.end(), [](char c) { return IsLowerOrDigit(c) || c == '-'; });
  if (characters && name.size() <= 63 && name.front() != '-' && name.back() != '-') {
    if (base::ParseJobId(name)) {
      in.Wrong("name",
               "found " + Quoted(name) + ", which reads like a job's id; choose another name");
    }
    return;
  }
  const std::string valid = ValidName(name);
  in.Wrong("name", "found " + Quoted(name) +
                       ", expected 1 to 63 of a-z, 0-9 and -, not - at an end" +
                       (valid.empty() ? "" : " (did you mean '" + valid + "'?)"));
}

std::string WrongLabel(const std::string& key, const std::string& value) {
  const bool good_key =
      !key.empty() && key.size() <= 63 && std::all_of(key.begin(), key.end(), [](char c) {
        return IsWordCharacter(c) || c == '.' || c == '-' || c == '/';
      });
  if (!good_key) {
    return "found the label " + Quoted(key) +
           ", expected a name of 1 to 63 letters, digits, . _ - /";
  }
  if (value.size() > 63 || FindBadByte(value) != std::string::npos) {
    return "found " + Quoted(value) + " for the label '" + key +
           "', expected at most 63 bytes without control characters";
  }
  return "";
}

std::string WrongVariable(const std::string& name, const std::string& value) {
  const bool good_name = !name.empty() && name.size() <= 255 &&
                         !(name[0] >= '0' && name[0] <= '9') &&
                         std::all_of(name.begin(), name.end(), IsWordCharacter);
  if (!good_name) {
    return "found the variable " + Quoted(name) +
           ", expected a name of letters, digits and _, not beginning with a digit";
  }
  static const std::vector<std::string> kOurs = {
      "RANK",        "WORLD_SIZE",  "LOCAL_RANK",          "LOCAL_WORLD_SIZE",
      "GROUP_RANK",  "ROLE_RANK",   "GROUP_WORLD_SIZE",    "ROLE_WORLD_SIZE",
      "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES"};
  if (name.starts_with("COXSWAIN_") || std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end()) {
    return "found the variable '" + name + "', which Coxswain sets for every rank itself";
  }
  // The value may be a secret: it is never part of the message.
  if (value.size() > 32768) return "the value of '" + name + "' is longer than 32768 bytes";
  if (FindBadByte(value, "\n\t\r") != std::string::npos) {
    return "the value of '" + name + "' holds a control character or a byte that is not UTF-8";
  }
  return "";
}

void ReadMetadata(Section& in, Metadata* out) {
  in.Require("name", "a name such as 'fashion-mnist'");
  if (in.Text("name", "a name such as 'fashion-mnist'", &out->name)) CheckName(in, out->name);
  in.TextMap("labels", 64, WrongLabel, &out->labels);
}

void ReadResources(Section& in, bool own_program, Resources* out,
                   std::vector<std::string>* warnings) {
  in.Integer("cpus", 1, 4096, &out->cpus);
  in.Integer("gpus", 0, 64, &out->gpus);
  in.Size("memory", 0, kLargestMemory, &out->memory_bytes);
  if (out->gpus > 1 && !own_program) {
    warnings->push_back("spec.resources.gpus: a rank trains on one GPU: the others of its " +
                        std::to_string(out->gpus) +
                        " would be reserved and idle; for more GPUs set spec.workers");
  }
}

void ReadPlacement(Section& in, const Resources& resources, Placement* out) {
  in.TextMap("node_selector", 64, WrongLabel, &out->node_selector);
  in.TextList("gpu_kinds", 16, "names of GPUs or parts of them, such as [H200, H100]",
              &out->gpu_kinds);
  in.Choice<Within>(
      "within", {{"fleet", Within::kFleet}, {"rack", Within::kRack}, {"machine", Within::kMachine}},
      &out->within);
  if (!out->gpu_kinds.empty() && resources.gpus == 0) {
    in.Wrong("gpu_kinds", "needs spec.resources.gpus of at least 1, found 0");
  }
}

void ReadCheckpoint(Section& in, bool own_program, Checkpoint* out) {
  ReadUri(in, "store", true, &out->store);
  in.Integer("every_steps", int64_t{0}, kMost, &out->every_steps);
  in.Duration("every_time", base::Duration(0), 30 * kDay, &out->every_time);
  in.Integer("keep", 1, 1000, &out->keep);
  in.Choice<bool>("saved_by", {{"rank_0", false}, {"every_rank", true}}, &out->by_every_rank);
  for (const char* key : {"every_steps", "every_time"}) {
    if (own_program && in.Has(key)) {
      in.Wrong(key, "belongs to recipes: the program (spec.command) says when it has saved");
    }
  }
  if (!own_program && in.Has("saved_by")) in.Wrong("saved_by", "needs spec.command");
  in.Text("endpoint", "a URL such as http://127.0.0.1:7480", &out->endpoint);
  in.Text("region", "a region such as us-east-1", &out->region);
  if (in.Has("every_time") && out->every_time.count() > 0 && out->every_time < seconds(1)) {
    in.Wrong("every_time",
             "found " + FormatDuration(out->every_time) + ", expected 0 or at least 1s");
  }
  if (!out->endpoint.empty() && !out->endpoint.starts_with("http://") &&
      !out->endpoint.starts_with("https://")) {
    in.Wrong("endpoint",
             "found " + Quoted(out->endpoint) + ", expected http://HOST:PORT or https://HOST:PORT");
  }
  if (out->endpoint.find('@') != std::string::npos) {
    in.Wrong("endpoint",
             "holds '@': credentials are taken from the worker's environment, never from a job");
  }
  const bool on_s3 = out->store.empty() || out->store.starts_with("s3://");
  for (const char* key : {"endpoint", "region"}) {
    if (in.Has(key) && !on_s3)
      in.Wrong(key, "belongs to s3:// stores, but spec.checkpoint.store is not one");
  }
}

// min_workers <= workers <= max_workers.
void ReadWorkers(Section& in, JobSpec* job) {
  in.Integer("workers", 1, kMostWorkers, &job->workers);
  job->min_workers = job->max_workers = job->workers;
  const std::string of_workers = std::to_string(job->workers) + ", the number of spec.workers";
  if (in.Integer("min_workers", 1, kMostWorkers, &job->min_workers) &&
      job->min_workers > job->workers) {
    in.Wrong("min_workers",
             "found " + std::to_string(job->min_workers) + ", expected at most " + of_workers);
    job->min_workers = job->workers;
  }
  if (in.Integer("max_workers", 1, kMostWorkers, &job->max_workers) &&
      job->max_workers < job->workers) {
    in.Wrong("max_workers",
             "found " + std::to_string(job->max_workers) + ", expected at least " + of_workers);
    job->max_workers = job->workers;
  }
}

void ReadQueue(Section& in, const JobSite& site, std::string* queue) {
  const bool given = in.Text("queue", "the name of a queue", queue);
  if (queue->size() > 63) {
    return in.Wrong("queue",
                    "found " + std::to_string(queue->size()) + " bytes, expected at most 63");
  }
  if (!site.wrong_queue || (in.Has("queue") && !given)) return;
  if (const std::string why = site.wrong_queue(*queue); !why.empty()) in.Wrong("queue", why);
}

void ReadSpec(Section& in, const JobSite& site, JobSpec* job, std::vector<std::string>* warnings) {
  ReadProgram(in, site, &job->program);
  const bool own_program = in.Has("command");
  if (!own_program) in.Require("data", "a section with the training data (or spec.command)");
  ReadQueue(in, site, &job->queue);
  int64_t priority = 0;
  if (in.Integer("priority", int64_t{-1000}, int64_t{1000}, &priority)) {
    job->priority = static_cast<int32_t>(priority);
  }
  in.Duration("expected_time", base::Duration(0), 365 * kDay, &job->expected_time);
  in.Choice<bool>("on_preemption", {{"requeue", false}, {"end", true}}, &job->end_when_preempted);
  ReadWorkers(in, job);
  in.Below("resources",
           [&](Section& below) { ReadResources(below, own_program, &job->resources, warnings); });
  in.Below("placement",
           [&](Section& below) { ReadPlacement(below, job->resources, &job->placement); });
  in.Below("data", [&](Section& below) { ReadData(below, &job->data); });
  in.Below("model", [&](Section& below) { ReadModel(below, job->data, &job->model); });
  const bool trains = !own_program || in.Has("train");
  if (trains)
    in.Below("train", [&](Section& below) {
      ReadTrain(below, {job->workers, job->max_workers}, &job->train);
      CheckTargets(below, job->data, job->train);
      CheckGraphs(below, *job);
      ReadEarlyStopping(below, job->data, &job->train.early_stopping);
      for (const char* key : {"evaluate_every_epochs", "evaluate_every_steps"}) {
        if (!below.Has(key) || job->data.HasEvaluation()) continue;
        warnings->push_back("spec.train." + std::string(key) +
                            " has no effect without spec.data.evaluate");
      }
    });
  in.Below("checkpoint", [&](Section& below) {
    ReadCheckpoint(below, own_program, &job->checkpoint);
    ReadBest(below, own_program, job->data, &job->checkpoint);
  });
  in.Below("retries", [&](Section& below) {
    below.Integer("max_attempts", 1, 100, &job->retries.max_attempts);
  });
  in.Duration("time_limit", base::Duration(0), 365 * kDay, &job->time_limit);
  in.Duration("grace", seconds(1), kDay, &job->grace);
  in.TextMap("env", 1000, WrongVariable, &job->env);
  if (in.Has("time_limit") && job->time_limit.count() > 0 && job->time_limit < seconds(1)) {
    in.Wrong("time_limit",
             "found " + FormatDuration(job->time_limit) + ", expected 0 or at least 1s");
  }
}

}  // namespace

std::string WrongUri(const std::string& uri, bool path_too) {
  const size_t scheme_end = uri.find("://");
  if (scheme_end == std::string::npos) {
    return path_too ? "" : "found " + Quoted(uri) + ", expected file:///PATH or s3://BUCKET/PREFIX";
  }
  const std::string rest = uri.substr(scheme_end + 3);
  if (uri.starts_with("file://")) {
    return rest.starts_with('/')
               ? ""
               : "found " + Quoted(uri) + ", expected an absolute path: file:///" + rest;
  }
  if (!uri.starts_with("s3://")) {
    return "found the scheme " + Quoted(uri.substr(0, scheme_end)) + ", expected " +
           (path_too ? "a path, " : "") + "file:// or s3://";
  }
  const std::string bucket = rest.substr(0, rest.find('/'));
  if (bucket.find('@') != std::string::npos) {
    return "holds '@': credentials are taken from the worker's environment, never from a job";
  }
  const bool good = bucket.size() >= 3 && bucket.size() <= 63 &&
                    std::all_of(bucket.begin(), bucket.end(),
                                [](char c) { return IsWordCharacter(c) || c == '-' || c == '.'; });
  return good ? ""
              : "found the bucket " + Quoted(bucket) +
                    ", expected 3 to 63 letters, digits, '.' and '-'";
}

void ReadJob(const YAML::Node& root, const JobSite& site, Notebook* notes, JobSpec* job,
             std::vector<std::string>* warnings) {
  Section in(root, "", 0, notes);
  std::string ignored;
  in.Require("apiVersion", "apiVersion: coxswain/v1");
  in.Require("kind", "kind: TrainingJob");
  in.Require("metadata", "a section with the job's name");
  in.Require("spec", "a section that says what to train");
  in.Choice<std::string>("apiVersion", {{"coxswain/v1", ""}}, &ignored);
  in.Choice<std::string>("kind", {{"TrainingJob", ""}}, &ignored);
  in.Below("metadata", [&](Section& below) { ReadMetadata(below, &job->metadata); });
  in.Below("spec", [&](Section& below) { ReadSpec(below, site, job, warnings); });
  in.Finish();
}

}  // namespace coxswain::config
