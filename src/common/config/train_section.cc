#include "common/config/train_section.h"

#include <algorithm>

namespace coxswain::config {
namespace {

constexpr int64_t kMost = 1'000'000'000;
constexpr int64_t kMostSamples = 16'777'216;  // of a batch

void ReadOptimizer(Section& in, Optimizer* out) {
  in.Choice<OptimizerName>("name", {{"adamw", OptimizerName::kAdamW}, {"sgd", OptimizerName::kSgd}},
                           &out->name);
  const bool sgd = out->name == OptimizerName::kSgd;
  if (sgd) out->weight_decay = 0.0;
  in.Real("learning_rate", {.low = 0, .high = 1000, .above = true}, &out->learning_rate);
  in.Real("weight_decay", {.low = 0, .high = 1000}, &out->weight_decay);
  in.Choice<Decay>("decay", {{"all", Decay::kAll}, {"matrices", Decay::kMatrices}}, &out->decay);
  in.Real("beta1", {.low = 0, .high = 1, .below = true}, &out->beta1);
  in.Real("beta2", {.low = 0, .high = 1, .below = true}, &out->beta2);
  in.Real("eps", {.low = 0, .high = 1, .above = true}, &out->eps);
  in.Real("momentum", {.low = 0, .high = 1, .below = true}, &out->momentum);
  in.Bool("nesterov", &out->nesterov);
  in.Bool("sharded", &out->sharded);
  for (const char* key : {"beta1", "beta2", "eps"}) {
    if (sgd && in.Has(key))
      in.WrongBy("spec.train.optimizer.name", key,
                 "belongs to adamw, but spec.train.optimizer.name is sgd");
  }
  for (const char* key : {"momentum", "nesterov"}) {
    if (!sgd && in.Has(key))
      in.WrongBy("spec.train.optimizer.name", key,
                 "belongs to sgd, but spec.train.optimizer.name is adamw");
  }
  if (out->weight_decay == 0 && in.Has("decay")) {
    in.Wrong("decay", "needs a weight_decay above 0");
  }
  if (sgd && out->nesterov && out->momentum == 0) in.Wrong("nesterov", "needs a momentum above 0");
  if (out->sharded && !out->HasState()) {
    in.Wrong("sharded",
             "needs an optimizer that keeps a state: adamw, or sgd with a momentum above 0");
  }
}

void ReadSchedule(Section& in, int64_t max_steps, Schedule* out) {
  in.Choice<ScheduleName>("name",
                          {{"constant", ScheduleName::kConstant},
                           {"cosine", ScheduleName::kCosine},
                           {"linear", ScheduleName::kLinear}},
                          &out->name);
  in.Integer("warmup_steps", int64_t{0}, kMost, &out->warmup_steps);
  in.Real("final_fraction", {.low = 0, .high = 1}, &out->final_fraction);
  if (out->name == ScheduleName::kConstant && in.Has("final_fraction")) {
    in.WrongBy("spec.train.schedule.name", "final_fraction",
               "belongs to cosine and linear, but spec.train.schedule.name is constant");
  }
  if (max_steps > 0 && out->warmup_steps > max_steps) {
    in.Wrong("warmup_steps", "found " + std::to_string(out->warmup_steps) +
                                 ", but training ends after " + std::to_string(max_steps) +
                                 " steps (spec.train.max_steps)");
  }
}

void ReadBatchRange(Section& in, Train* out) {
  in.Require("min", "the batch to begin with, such as 128");
  in.Require("max", "the largest batch that it may become, such as 2048");
  in.Integer("min", int64_t{1}, kMostSamples, &out->global_batch_size);
  int64_t max = 0;
  if (!in.Integer("max", int64_t{1}, kMostSamples, &max)) return;
  if (max < out->global_batch_size) {
    in.Wrong("max", "found " + std::to_string(max) + ", expected at least " +
                        std::to_string(out->global_batch_size) + ", the batch to begin with");
    return;
  }
  out->max_global_batch_size = max > out->global_batch_size ? max : 0;
}

// A number of samples, or {min, max}.
void ReadBatch(Section& in, Train* out) {
  if (in.Has("global_batch_size") && !in.IsSection("global_batch_size")) {
    in.Integer("global_batch_size", int64_t{1}, kMostSamples, &out->global_batch_size);
  } else {
    in.Below("global_batch_size", [&](Section& below) { ReadBatchRange(below, out); });
  }
}

std::string RanksText(const WorkerRange& ranks) {
  return std::to_string(ranks.max) + " workers" +
         (ranks.max > ranks.workers ? " (spec.max_workers)" : "");
}

// Every rank needs at least one sample of each step; so does each of the largest number of ranks
// once the batch is as large as it may be.
void CheckSamples(Section& in, const WorkerRange& ranks, const Train& train) {
  const bool range = train.max_global_batch_size > 0;
  const auto few = [&](int64_t samples, const std::string& workers) {
    in.Wrong("global_batch_size", "found " + std::to_string(samples) + " samples a step for " +
                                      workers + "; expected at least one sample for each");
  };
  if (train.global_batch_size < ranks.workers) {
    few(train.global_batch_size, std::to_string(ranks.workers) + " workers");
  } else if (std::max(train.global_batch_size, train.max_global_batch_size) < ranks.max) {
    few(std::max(train.global_batch_size, train.max_global_batch_size), RanksText(ranks));
  }
  if (range && train.max_steps > 0) {
    in.Wrong("max_steps",
             "found " + std::to_string(train.max_steps) +
                 " with a range of batches (spec.train.global_batch_size), whose steps are of "
                 "unequal size; expected the end by spec.train.epochs alone, or one batch size");
  }
}

void CheckMicroBatch(Section& in, const WorkerRange& ranks, const Train& train) {
  const int64_t micro = train.micro_batch_size, batch = train.global_batch_size;
  if (micro > batch) {
    in.Wrong("micro_batch_size", "found " + std::to_string(micro) +
                                     ", expected at most the global batch of " +
                                     std::to_string(batch));
    return;
  }
  if (micro == 0) return;
  const int64_t count = (batch + micro - 1) / micro;
  if (count >= ranks.max) return;
  in.Wrong("micro_batch_size",
           "a global batch of " + std::to_string(batch) + " makes " + std::to_string(count) +
               " micro-batch(es) of " + std::to_string(micro) + ", but there are " +
               (ranks.max > ranks.workers ? "up to " : "") + RanksText(ranks) +
               "; expected at most " + std::to_string(std::max<int64_t>(1, batch / ranks.max)));
}

void ReadEma(Section& in, Ema* out) {
  in.Require("decay", "how much of the average each step keeps, such as 0.999");
  in.Real("decay", {.low = 0, .high = 1, .above = true, .below = true}, &out->decay);
  in.Bool("warmup", &out->warmup);
}

// "balanced", or a number for each class.
void ReadClassWeights(Section& in, Train* out) {
  if (in.Has("class_weights") && !in.IsList("class_weights")) {
    in.Choice<bool>("class_weights", {{"balanced", true}}, &out->balanced_classes,
                    " or a list of numbers, one for each class");
  } else {
    in.RealList("class_weights", {.low = 0, .high = 1e9}, 1'000'000, &out->class_weights);
  }
}

}  // namespace

void CheckTargets(Section& in, const Data& data, const Train& train) {
  const bool numbers = data.IsTable() && data.table.task == TableTask::kRegression;
  for (const char* key : {"class_weights", "label_smoothing"}) {
    if (numbers && in.Has(key)) {
      in.WrongBy("spec.data.task", key, "belongs to classes, but spec.data.task is regression");
    }
  }
  if (data.IsText() && in.Has("class_weights")) {
    in.WrongBy("spec.data.format", "class_weights",
               "belongs to classes, but spec.data.format is " + data.format);
  }
  const auto found = static_cast<int64_t>(train.class_weights.size());
  if (data.IsIdx() && found > 0 && found != data.classes) {
    in.Wrong("class_weights", "found " + std::to_string(found) + " numbers, expected " +
                                  std::to_string(data.classes) + " (spec.data.classes)");
  }
}

void CheckGraphs(Section& in, const JobSpec& job) {
  if (!job.train.cuda_graphs) return;
  const uint32_t ranks = std::max(job.workers, job.max_workers);
  if (job.resources.gpus == 0) {
    in.Wrong("cuda_graphs",
             "needs a GPU; found true with spec.resources.gpus: 0, expected gpus: 1");
  } else if (ranks > 1) {
    in.Wrong("cuda_graphs", "found true with " + RanksText({job.workers, ranks}) +
                                ", whose sums over NCCL are not recorded; expected workers: 1");
  } else if (job.train.max_global_batch_size > 0) {
    in.Wrong("cuda_graphs",
             "found true with a range of batches (spec.train.global_batch_size), but a recorded "
             "step is of one size; expected one batch size");
  } else if (job.model.IsOwn()) {
    in.Wrong("cuda_graphs",
             "found true with a model of your own, which may wait for the GPU or do something else "
             "in each step; expected one of the recipes mlp, cnn, resnet, gpt, llama");
  }
}

void ReadTrain(Section& in, const WorkerRange& ranks, Train* out) {
  in.Integer("epochs", int64_t{1}, int64_t{1'000'000}, &out->epochs);
  in.Integer("max_steps", int64_t{0}, kMost, &out->max_steps);
  ReadBatch(in, out);
  in.Integer("micro_batch_size", int64_t{0}, kMostSamples, &out->micro_batch_size);
  in.Seed("seed", &out->seed);
  in.Choice<Precision>("precision",
                       {{"float32", Precision::kFloat32},
                        {"float64", Precision::kFloat64},
                        {"bf16", Precision::kBf16}},
                       &out->precision);
  in.Choice<Tf32>(
      "tf32", {{"none", Tf32::kNone}, {"convolutions", Tf32::kConvolutions}, {"all", Tf32::kAll}},
      &out->tf32);
  in.Bool("cuda_graphs", &out->cuda_graphs);
  in.Below("optimizer", [&](Section& below) { ReadOptimizer(below, &out->optimizer); });
  in.Below("schedule",
           [&](Section& below) { ReadSchedule(below, out->max_steps, &out->schedule); });
  in.Real("label_smoothing", {.low = 0, .high = 1, .below = true}, &out->label_smoothing);
  in.Below("ema", [&](Section& below) { ReadEma(below, &out->ema); });
  in.Real("clip_norm", {.low = 0, .high = 1e9}, &out->clip_norm);
  ReadClassWeights(in, out);
  in.Integer("evaluate_every_epochs", int64_t{1}, int64_t{1'000'000}, &out->evaluate_every_epochs);
  if (in.Integer("evaluate_every_steps", int64_t{1}, int64_t{1'000'000},
                 &out->evaluate_every_steps) &&
      !in.Has("evaluate_every_epochs")) {
    out->evaluate_every_epochs = 0;
  }
  in.Integer("log_every_steps", int64_t{1}, int64_t{1'000'000}, &out->log_every_steps);
  CheckSamples(in, ranks, *out);
  CheckMicroBatch(in, ranks, *out);
}

}  // namespace coxswain::config
