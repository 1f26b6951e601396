// bare-loop JOB.yaml STAMPS [SEQUENCE VOCABULARY]: what the trainer's wrapper is measured against.
// The job's model and optimizer in a loop of LibTorch's calls, one process, one batch kept in
// memory: no data pipeline, no group, no metrics, no checkpoints. Samples are images of 28x28 and
// 10 classes, or tokens. Writes its pid to STAMPS, then the Unix time (s) of each step's end, until
// it is killed.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/config/job_parser.h"
#include "trainer/engine/model/model.h"
#include "trainer/engine/optim/optimizer.h"

namespace coxswain::trainer::engine {
namespace {

int Run(const config::JobSpec& spec, const char* stamps, int64_t sequence, int64_t vocabulary) {
  at::set_num_threads(1);
  data::SampleShape shape;
  const int64_t batch = spec.train.global_batch_size;
  Inputs inputs;
  at::Tensor labels;
  if (sequence > 0) {
    shape.sequence = sequence;
    shape.vocabulary = vocabulary;
    inputs.ids = at::randint(vocabulary, {batch, sequence}, at::kLong);
    labels = at::randint(vocabulary, {batch * sequence}, at::kLong);
  } else {
    shape.dense = {1, 28, 28};
    shape.classes = 10;
    inputs.dense = at::randn({batch, 1, 28, 28});
    labels = at::randint(10, {batch}, at::kLong);
  }
  std::unique_ptr<Model> model = MakeModel(spec.model, shape, at::kFloat, spec.train.seed);
  Optimizer optimizer(spec.train.optimizer, model->parameters());
  std::FILE* out = std::fopen(stamps, "w");
  if (out == nullptr) return 2;
  std::setvbuf(out, nullptr, _IOLBF, 1 << 12);
  std::fprintf(out, "%d\n", getpid());
  ForwardPass pass;
  pass.training = true;
  for (int64_t step = 1;; ++step) {
    model->KeepGradientMemory();
    for (const NamedTensor& each : model->parameters()) each.tensor.mutable_grad().reset();
    const at::Tensor logits = model->Forward(inputs, pass);
    at::Tensor loss = at::cross_entropy_loss(logits.view({labels.size(0), -1}), labels);
    loss.backward();
    optimizer.Apply(step, spec.train.optimizer.learning_rate);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::fprintf(out, "%.6f\n", std::chrono::duration<double>(now).count());
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine

int main(int argc, char** argv) {
  using namespace coxswain;
  if (argc != 3 && argc != 5) {
    std::fprintf(stderr, "usage: bare-loop JOB.yaml STAMPS [SEQUENCE VOCABULARY]\n");
    return 2;
  }
  std::stringstream yaml;
  yaml << std::ifstream(argv[1]).rdbuf();
  auto parsed = config::ParseJob(yaml.str(), argv[1], {});
  if (auto* wrong = std::get_if<std::vector<config::Mistake>>(&parsed)) {
    std::fprintf(stderr, "bare-loop: %s: %zu mistakes\n", argv[1], wrong->size());
    return 2;
  }
  const auto number = [&](int i) { return argc > i ? std::atoll(argv[i]) : 0; };
  return trainer::engine::Run(std::get<config::ParsedJob>(parsed).spec, argv[2], number(3),
                              number(4));
}
