// A batch's rows as tensors: views of the machine's own memory, or copies on a device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "trainer/engine/data/dataset.h"

namespace coxswain::trainer::engine {

// Rows lie along dimension 0. Undefined: the samples have no such thing.
struct RowTensors {
  at::Tensor dense, ids, labels;
  at::Tensor targets;  // doubles

  // Of the rows' own memory, which must outlive them; their dense numbers are of `dtype`.
  static RowTensors Of(const data::Rows& rows, const data::SampleShape& shape,
                       at::ScalarType dtype);
  RowTensors Narrow(int64_t begin, int64_t end) const;
  RowTensors To(at::Device device) const;

  // What `make` makes of each that is there.
  template <class Make>
  RowTensors Each(Make make) const {
    RowTensors made;
    const at::Tensor* from[] = {&dense, &ids, &labels, &targets};
    at::Tensor* to[] = {&made.dense, &made.ids, &made.labels, &made.targets};
    for (int i = 0; i < 4; ++i) {
      if (from[i]->defined()) *to[i] = make(*from[i]);
    }
    return made;
  }
};

}  // namespace coxswain::trainer::engine
