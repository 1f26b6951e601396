#include "trainer/engine/device/row_tensors.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {

RowTensors RowTensors::Of(const data::Rows& rows, const data::SampleShape& shape,
                          at::ScalarType dtype) {
  RowTensors out;
  const auto view = [&](const void* data, at::IntArrayRef sizes, at::ScalarType type) {
    return at::from_blob(const_cast<void*>(data), sizes, at::TensorOptions().dtype(type));
  };
  if (!shape.dense.empty()) {
    std::vector<int64_t> sizes = {rows.count};
    sizes.insert(sizes.end(), shape.dense.begin(), shape.dense.end());
    out.dense = view(rows.dense.data(), sizes, dtype);
  }
  if (int64_t ids = shape.ids_size(); ids > 0) {
    out.ids = view(rows.ids.data(), {rows.count, ids}, at::kLong);
  }
  if (int64_t labels = shape.labels_size(); labels > 0) {
    out.labels = view(rows.labels.data(), {rows.count, labels}, at::kLong);
  } else {
    out.targets = view(rows.targets.data(), {rows.count}, at::kDouble);
  }
  return out;
}

RowTensors RowTensors::Narrow(int64_t begin, int64_t end) const {
  return Each([&](const at::Tensor& all) { return all.narrow(0, begin, end - begin); });
}

RowTensors RowTensors::To(at::Device device) const {
  return Each([&](const at::Tensor& all) { return all.to(device); });
}

}  // namespace coxswain::trainer::engine
