// A job file for tests, and its short ways in.
#pragma once

#include <gtest/gtest.h>

#include "common/config/job_parser.h"

namespace coxswain::config {

// Line numbers in the expectations below count from here; "apiVersion" is line 1.
inline constexpr char kJob[] = R"(apiVersion: coxswain/v1
kind: TrainingJob
metadata:
  name: digits
  labels: {team: vision}
spec:
  workers: 2
  resources: {cpus: 1, memory: 2GiB}
  model:
    recipe: cnn
    channels: [16, 32]
  data:
    train: {images: train-images.gz, labels: s3://bucket/train-labels.gz}
    evaluate: {images: /data/t10k-images.gz, labels: file:///data/t10k-labels.gz}
  train:
    epochs: 3
    global_batch_size: 256
    optimizer: {name: adamw, learning_rate: 2e-3}
    schedule: {name: cosine, warmup_steps: 100}
  checkpoint: {every_time: 5m, keep: 2}
  time_limit: 1h30m
  env: {OMP_NUM_THREADS: "1", API_KEY: hunter2hunter2}
)";

// kJob with one place changed.
inline std::string Replaced(const std::string& from, const std::string& to) {
  std::string text = kJob;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

inline ParsedJob Parsed(std::string_view yaml, const std::vector<std::string>& overrides = {}) {
  auto result = ParseJob(yaml, "job.yaml", overrides);
  if (auto* mistakes = std::get_if<std::vector<Mistake>>(&result)) {
    ADD_FAILURE() << ToString(*mistakes);
    return {};
  }
  return std::get<ParsedJob>(std::move(result));
}

inline std::vector<std::string> MistakesIn(std::string_view yaml,
                                           const std::vector<std::string>& overrides = {}) {
  auto result = ParseJob(yaml, "job.yaml", overrides);
  std::vector<std::string> lines;
  if (auto* mistakes = std::get_if<std::vector<Mistake>>(&result)) {
    for (const Mistake& mistake : *mistakes) lines.push_back(mistake.ToString());
  }
  return lines;
}

}  // namespace coxswain::config
