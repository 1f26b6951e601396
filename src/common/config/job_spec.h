// A job file as values: `apiVersion: coxswain/v1`, `kind: TrainingJob`. docs/job-spec.md describes
// each key; defaults stand here. Parsed and checked by job_parser.h; nothing in here can be wrong
// once ParseJob has returned it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace coxswain::config {

// metadata:
struct Metadata {
  std::string name;                           // [a-z0-9-]{1,63}, required
  std::map<std::string, std::string> labels;  // at most 64; keys and values at most 63 bytes
};

// spec.resources: per rank
struct Resources {
  uint32_t cpus = 1;  // CPU slots, and threads of the rank
  uint32_t gpus = 0;
  int64_t memory_bytes = 0;  // "8GiB"; 0: not limited (not used for placement when 0)
};

enum class Within { kFleet, kRack, kMachine };

// spec.placement: which nodes
struct Placement {
  std::map<std::string, std::string> node_selector;  // labels that every node of the job must have
  std::vector<std::string> gpu_kinds;  // parts of GPU names, the best liked first; empty: any
  Within within = Within::kFleet;      // all ranks in one rack, or on one machine
};

// spec.command and what belongs to it: instead of model, data and train
struct Program {
  std::vector<std::string> command;  // by argument, one process a rank; empty: a recipe is trained
  std::string code;         // a directory; once submitted: "sha256:...", what it was packed into
  std::string working_dir;  // absolute, or of `code`; empty: `code`, or a new folder for each rank
};

// The last two: a model of the user's own, from a TorchScript file or a plugin.
enum class Recipe { kMlp, kCnn, kResNet, kGpt, kLlama, kTorchScript, kPlugin };

// spec.model of gpt and llama: the shapes of GPT-2 and of Llama.
struct Transformer {
  int64_t layers = 12, heads = 12, width = 768;
  int64_t kv_heads = 0;       // llama: heads of keys and values; 0: as many as heads
  int64_t context = 0;        // the most tokens it can see; 0: spec.data.sequence_length
  int64_t vocabulary = 0;     // rows of the embedding; 0: as many as the data has tokens
  int64_t feed_forward = 0;   // width inside a layer; 0: transformer.h says
  double rope_theta = 10000;  // llama
  double norm_epsilon = 0;    // 0: gpt 1e-5, llama 1e-6
  bool tied = true;           // the output layer is the embedding; gpt: always
};

// spec.model:
struct Model {
  Recipe recipe = Recipe::kCnn;
  std::vector<int64_t> hidden = {128};  // mlp: widths of the hidden layers; cnn: of the head
  std::vector<int64_t> channels = {32,
                                   64};   // cnn: per 3x3 convolution block (conv, norm, ReLU, pool)
  int64_t pool_every = 1;                 // cnn: 2x2 max pool after every Nth block, 1..channels
  bool batch_norm = false;                // cnn: statistics per canonical micro-batch
  double dropout = 0.0;                   // before the last layer; [0, 1)
  int64_t embedding_dim = 0;              // of each categorical column; 0: by its cardinality
  int64_t depth = 18;                     // resnet: 18, 34 or 50 layers
  bool small_stem = false;                // resnet: 3x3 and no pool, for small images
  int64_t resnet_width = 64;              // resnet: channels of its first stage
  bool activation_checkpointing = false;  // gpt, llama: layers are run again in backward
  Transformer transformer;                // gpt, llama
  // gpt, llama, resnet: URI of a folder with config.json and model.safetensors; or empty.
  std::string from;
  bool new_head = false;  // resnet with `from`: the classifier begins anew, for other classes
  std::string module;     // kTorchScript: URI of the file
  std::string plugin;     // kPlugin: URI of the shared library
  std::map<std::string, std::string> options;  // kPlugin: given to it as they are

  bool IsOwn() const { return recipe == Recipe::kTorchScript || recipe == Recipe::kPlugin; }
  // What comes out depends on which samples go through it together; of a user's own it may.
  bool ByMicroBatch() const { return batch_norm || recipe == Recipe::kResNet || IsOwn(); }
  bool IsTransformer() const { return recipe == Recipe::kGpt || recipe == Recipe::kLlama; }
  // Numbers that stand for one of so many categories: embedding_dim, or the rule of thumb of
  // fastai, 1.6 n^0.56, at most 600.
  int64_t EmbeddingWidth(int64_t categories) const {
    if (embedding_dim > 0) return embedding_dim;
    const auto width = std::llround(1.6 * std::pow(static_cast<double>(categories), 0.56));
    return std::clamp<int64_t>(width, 1, 600);
  }
};

struct IdxPair {
  std::string images;  // URI (file://, s3://) or a path; .gz is read as it is
  std::string labels;
};

enum class TableTask { kClassification, kRegression };
enum class Nulls { kRefuse, kMean, kZero };  // of a numeric column; zero: before standardisation

// spec.data of format parquet and csv.
struct TableData {
  std::vector<std::string> files;  // URIs of files, folders and patterns (* and ?)
  std::vector<std::string> evaluate_files;
  double evaluate_fraction = 0;  // so many of the training rows are kept for evaluation instead
  std::string target;            // name of a column
  TableTask task = TableTask::kClassification;
  std::vector<std::string> numeric;  // with `categorical`: the features; both empty: all columns
  std::vector<std::string> categorical;
  Nulls nulls = Nulls::kRefuse;
  bool nan_is_null = false;
  bool standardize = true;  // numbers go in as (value - mean) / std
  // Rows up to this size are kept in memory; more are streamed, in windows that take this much.
  int64_t buffer_bytes = int64_t{1} << 30;
  std::string preprocessing;  // URI of another job's config.json, whose numbers are taken; or empty
  std::string delimiter = ",";  // csv

  bool evaluates() const { return !evaluate_files.empty() || evaluate_fraction > 0; }
};

// What turns text into tokens: its bytes, a tokenizer.json, or a BPE learnt from the training
// files.
enum class TokenizerKind { kBytes, kFile, kLearn };

// spec.data of format text and tokens; files and their part for evaluation: `table`, as of tables.
struct TextData {
  int64_t sequence_length = 0;  // tokens of a sample
  TokenizerKind tokenizer = TokenizerKind::kBytes;
  std::string tokenizer_file;     // kFile: URI of a tokenizer.json; tokens: to go with the model
  int64_t learnt_vocabulary = 0;  // kLearn
  bool end_of_text = true;        // text: a token that ends each file, if the tokenizer has one
  int64_t vocabulary = 0;         // tokens: they are below it; 0: the tokenizer_file says
  uint32_t token_bytes = 2;       // tokens: of a number in files without a header
};

// spec.data.augment: random changes of training images.
struct Augment {
  bool horizontal_flip = false;
  int64_t crop_padding = 0;  // pixels on each side
};

// spec.data:
struct Data {
  std::string format = "idx";
  IdxPair train;
  std::optional<IdxPair> evaluate;
  int64_t classes = 10;
  double mean = 0.0;  // of the pixels after scaling to [0, 1]
  double std = 1.0;
  int64_t limit = 0;  // use only the first N training samples; 0: all
  Augment augment;
  TableData table;
  TextData text;

  bool IsIdx() const { return format == "idx"; }
  bool IsTable() const { return format == "parquet" || format == "csv"; }
  bool IsText() const { return format == "text" || format == "tokens"; }
  bool HasEvaluation() const { return evaluate || table.evaluates(); }
};

enum class OptimizerName { kAdamW, kSgd };
enum class ScheduleName { kConstant, kCosine, kLinear };
// bf16: products in bfloat16, everything that is kept in float32 (torch.autocast).
enum class Precision { kFloat32, kFloat64, kBf16 };
// Which float32 operations a GPU may do with 10 bits of mantissa; PyTorch's own choice is the
// second.
enum class Tf32 { kNone, kConvolutions, kAll };

// What weight decay is for: everything, or tensors of two and more dimensions alone (weights of
// linear layers, convolutions and embeddings; not biases, nor norms).
enum class Decay { kAll, kMatrices };

struct Optimizer {
  OptimizerName name = OptimizerName::kAdamW;
  double learning_rate = 1e-3;
  double weight_decay = 0.01;  // AdamW default; 0 for sgd unless given
  Decay decay = Decay::kAll;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adamw
  double momentum = 0.0;                          // sgd
  bool nesterov = false;                          // sgd
  bool sharded = false;  // each rank keeps a part of its state (ZeRO stage 1); otherwise all of it

  // A number that it keeps beside each parameter, or two.
  bool HasState() const { return name == OptimizerName::kAdamW || momentum > 0; }
};

struct Schedule {
  ScheduleName name = ScheduleName::kConstant;
  int64_t warmup_steps = 0;     // linear from 0
  double final_fraction = 0.0;  // cosine, linear: learning rate at the end / at the top
};

// spec.train.ema: a moving average of the weights.
struct Ema {
  double decay = 0.0;   // of the average in each step; 0: there is none
  bool warmup = false;  // step t: at most (1 + t) / (10 + t)
};

// spec.train:
// What an evaluation is judged by.
enum class Metric { kLoss, kAccuracy, kR2 };
inline const char* ToString(Metric metric) {
  return metric == Metric::kLoss ? "loss" : metric == Metric::kAccuracy ? "accuracy" : "r2";
}
inline bool HigherIsBetter(Metric metric) { return metric != Metric::kLoss; }

struct EarlyStopping {
  Metric metric = Metric::kLoss;
  int64_t patience = 0;  // evaluations in a row that are no better; 0: never
  double min_delta = 0;  // by so much a better one has to be better
};

struct Train {
  int64_t epochs = 1;
  int64_t max_steps = 0;            // 0: by epochs alone; otherwise whichever comes first
  int64_t global_batch_size = 128;  // samples per optimizer step, over all ranks
  // Above global_batch_size: the batch may be made so large while the gradient's noise pays for it
  // (`global_batch_size: {min, max}`); 0: it stays.
  int64_t max_global_batch_size = 0;
  // Samples per canonical micro-batch: batch norm statistics and dropout masks are per such batch,
  // so that results do not depend on the number of ranks. 0: global_batch_size / workers of the
  // spec.
  int64_t micro_batch_size = 0;
  uint64_t seed = 1;
  Precision precision = Precision::kFloat32;
  Tf32 tf32 = Tf32::kConvolutions;
  bool cuda_graphs = false;  // forward and backward are recorded once, and done again by the GPU
  Optimizer optimizer;
  Schedule schedule;
  double label_smoothing = 0.0;  // [0, 1)
  Ema ema;
  double clip_norm = 0.0;             // 0: off
  bool balanced_classes = false;      // class_weights: balanced
  std::vector<double> class_weights;  // by class, in their order; empty: 1 each
  int64_t evaluate_every_epochs = 1;  // 0: not by epochs
  int64_t evaluate_every_steps = 0;   // 0: not by steps
  EarlyStopping early_stopping;
  int64_t log_every_steps = 1;  // metric points of a step: each Nth step
};

// spec.checkpoint:
struct Checkpoint {
  std::string store;  // "file:///ckpt", "s3://bucket/prefix"; empty: the coordinator's default
  int64_t every_steps = 0;      // 0: only by time and at the end
  base::Duration every_time{};  // "5m"; 0: off
  uint32_t keep = 3;            // newest verified ones kept; the final one always
  std::optional<Metric> best;   // the best one by this is saved, and kept too
  bool export_best = false;     // the model of that one, at the end; else the last one's
  std::string endpoint;        // s3: "http://127.0.0.1:7480"; empty: AWS_ENDPOINT_URL or AWS itself
  std::string region;          // s3: empty: AWS_REGION or us-east-1
  bool by_every_rank = false;  // saved_by, with spec.command: each rank gives files; else rank 0
};

struct Retries {
  uint32_t max_attempts = 3;  // tries in all, 1..100
};

struct JobSpec {
  Metadata metadata;
  std::string queue;                // empty: the coordinator's default_queue
  int32_t priority = 0;             // -1000..1000; higher goes first in its queue
  base::Duration expected_time{};   // how long it runs, as far as known; 0: not known
  bool end_when_preempted = false;  // on_preemption: end; otherwise it waits for slots again
  uint32_t workers = 1;             // ranks, 1..4096; with a range: what it is asked to start with
  uint32_t min_workers = 0;         // the range in which the number may be moved; 0: `workers`
  uint32_t max_workers = 0;
  Resources resources;
  Placement placement;
  Program program;
  Model model;
  Data data;
  Train train;
  Checkpoint checkpoint;
  Retries retries;
  base::Duration time_limit{};               // "2h"; running time over all attempts; 0: none
  base::Duration grace = base::seconds(30);  // SIGTERM to SIGKILL, and the time to save
  std::map<std::string, std::string> env;

  bool HasProgram() const { return !program.command.empty(); }
};

}  // namespace coxswain::config
