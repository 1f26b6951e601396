// The tensors of a rank's whole state, as the engine lists them (Engine::StateTensors), worked out
// from the job file without making any.
#pragma once

#include <cstdint>
#include <vector>

#include "common/config/job_spec.h"
#include "common/config/transformer.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::state {

struct ImageShape {
  int64_t channels = 1, height = 1, width = 1;
};

// Rows of a table, for the mlp.
struct TableShape {
  int64_t numeric = 0;              // columns
  std::vector<int64_t> categories;  // of each categorical column
  int64_t outputs = 1;              // classes; 1: a number
};

struct StateList {
  std::vector<blob::TensorInfo> tensors;  // parameters, buffers, optimizer state: in saved order
  uint64_t parameters = 0;                // elements
  uint64_t parameter_bytes = 0;
  uint64_t bytes = 0;  // of all tensors
  uint64_t optimizer_bytes = 0;
  uint64_t shards = 1;         // of that, one a rank: as many as the fewest ranks there may be
  uint64_t lowered_bytes = 0;  // of bf16: the copies of the parameters that products take
  // The least that one rank holds at once: the state, a gradient for every parameter, those copies.
  uint64_t LeastMemory() const {
    return bytes - optimizer_bytes + optimizer_bytes / shards + parameter_bytes + lowered_bytes;
  }
};

// `spec` has been parsed and checked; sizes saturate instead of wrapping round.
StateList ListState(const config::JobSpec& spec, const ImageShape& image);
StateList ListState(const config::JobSpec& spec, const TableShape& table);
// Of a gpt or llama.
StateList ListState(const config::JobSpec& spec, const config::TextShape& text);
// Of a user's own model, which is made of these.
StateList ListState(const config::JobSpec& spec, std::vector<blob::TensorInfo> parameters,
                    std::vector<blob::TensorInfo> buffers);

}  // namespace coxswain::trainer::state
