#include "trainer/engine/model/layers.h"

#include <ATen/ATen.h>

#include <cmath>

#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {
namespace {

double Unit(base::Rng& rng) { return static_cast<double>(rng.Next() >> 11) * 0x1p-53; }  // [0, 1)

template <class T>
void FillUniform(T* to, int64_t count, double bound, base::Rng& rng) {
  for (int64_t i = 0; i < count; ++i) {
    to[i] = static_cast<T>((2 * Unit(rng) - 1) * bound);
  }
}

template <class T>
void FillNormal(T* to, int64_t count, double std, base::Rng& rng) {
  for (int64_t i = 0; i < count; i += 2) {
    const double radius = std * std::sqrt(-2 * std::log(1 - Unit(rng)));
    const double angle = 2 * M_PI * Unit(rng);
    to[i] = static_cast<T>(radius * std::cos(angle));
    if (i + 1 < count) to[i + 1] = static_cast<T>(radius * std::sin(angle));
  }
}

template <class T>
void FillMask(T* to, int64_t rows, int64_t features, double keep, uint64_t seed, int64_t position) {
  auto limit = static_cast<uint64_t>(keep * 0x1p32);
  T scale = static_cast<T>(1 / keep);
  for (int64_t row = 0; row < rows; ++row) {
    uint64_t key = base::Mix64(base::Mix64(seed ^ 0xd409) + static_cast<uint64_t>(position + row));
    for (int64_t i = 0; i < features; ++i) {
      uint64_t draw = base::Mix64(key + static_cast<uint64_t>(i)) >> 32;
      to[row * features + i] = draw < limit ? scale : T{0};
    }
  }
}

// Bits move right, zeros come in.
at::Tensor Shifted(const at::Tensor& x, int64_t by) {
  const int64_t kept = static_cast<int64_t>((~uint64_t{0}) >> by);
  return at::bitwise_and(at::bitwise_right_shift(x, at::Scalar(by)), at::Scalar(kept));
}

// base::Mix64 of each; whole numbers of 64 bits wrap around.
at::Tensor Mixed(at::Tensor x) {
  auto number = [](uint64_t bits) { return at::Scalar(static_cast<int64_t>(bits)); };
  x = x + number(0x9e3779b97f4a7c15ull);
  x = at::bitwise_xor(x, Shifted(x, 30)) * number(0xbf58476d1ce4e5b9ull);
  x = at::bitwise_xor(x, Shifted(x, 27)) * number(0x94d049bb133111ebull);
  return at::bitwise_xor(x, Shifted(x, 31));
}

}  // namespace

at::Tensor UniformByFanIn(at::IntArrayRef shape, int64_t fan_in, at::ScalarType dtype,
                          base::Rng& rng) {
  at::Tensor out = at::empty(shape, dtype);
  double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  if (dtype == at::kDouble) {
    FillUniform(out.data_ptr<double>(), out.numel(), bound, rng);
  } else {
    FillUniform(out.data_ptr<float>(), out.numel(), bound, rng);
  }
  return out;
}

at::Tensor NormalValues(at::IntArrayRef shape, double std, at::ScalarType dtype, base::Rng& rng) {
  at::Tensor out = at::empty(shape, dtype);
  if (dtype == at::kDouble) {
    FillNormal(out.data_ptr<double>(), out.numel(), std, rng);
  } else {
    FillNormal(out.data_ptr<float>(), out.numel(), std, rng);
  }
  return out;
}

at::Tensor KeyedMask(const at::Tensor& positions, int64_t features, double keep, uint64_t seed,
                     at::ScalarType type) {
  const auto key = static_cast<int64_t>(base::Mix64(seed ^ 0xd409));
  const at::Tensor keys = Mixed(positions + key).unsqueeze(1);
  const at::Tensor draws = Shifted(Mixed(keys + at::arange(features, positions.options())), 32);
  const auto limit = static_cast<int64_t>(keep * 0x1p32);
  return draws.lt(limit).to(type).mul_(1 / keep);
}

at::Tensor KeyedDropout(const at::Tensor& x, double probability, uint64_t seed,
                        const ForwardPass& pass) {
  const bool float64 = x.scalar_type() == at::kDouble;
  const at::ScalarType type = float64 ? at::kDouble : at::kFloat;
  const double keep = 1 - probability;
  const bool recorded = pass.first.defined();
  if (!x.is_cpu() || recorded) {
    const at::Tensor rows = at::arange(x.size(0), x.options().dtype(at::kLong));
    const at::Tensor drawn =
        KeyedMask(recorded ? rows + pass.first : rows + pass.position, x.size(1), keep, seed, type);
    return (x * drawn).to(x.scalar_type());
  }
  at::Tensor mask = at::empty(x.sizes(), type);
  if (float64) {
    FillMask(mask.data_ptr<double>(), x.size(0), x.size(1), keep, seed, pass.position);
  } else {
    FillMask(mask.data_ptr<float>(), x.size(0), x.size(1), keep, seed, pass.position);
  }
  // In a lower precision 1 / keep itself would be rounded, and every sum with it.
  return (x * mask).to(x.scalar_type());
}

}  // namespace coxswain::trainer::engine
