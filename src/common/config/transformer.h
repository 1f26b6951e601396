// The shapes of a gpt or llama once everything is known that its defaults depend on. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "common/config/job_spec.h"

namespace coxswain::config {

// `sequence`, `vocabulary`: of the data. feed_forward: gpt 4 width; llama 8/3 width, up to a
// multiple of 256, as Llama has it.
Transformer ResolvedTransformer(const Model& model, int64_t sequence, int64_t vocabulary);

// "spec.model.heads: ..." if the shapes do not belong together or do not fit the data; else "".
// `data` of 0: not known yet.
struct TextShape {
  int64_t sequence = 0, vocabulary = 0;
};
std::string WrongTransformer(const Model& model, const TextShape& data);

}  // namespace coxswain::config
