#include "trainer/engine/model/attention.h"

#include <ATen/ATen.h>

namespace coxswain::trainer::engine {
namespace {

// As many heads as `heads`, each of x's repeated.
at::Tensor Repeated(const at::Tensor& x, int64_t heads) {
  const int64_t own = x.size(1);
  if (own == heads) return x;
  return x.unsqueeze(2)
      .expand({x.size(0), own, heads / own, x.size(2), x.size(3)})
      .reshape({x.size(0), heads, x.size(2), x.size(3)});
}

}  // namespace

at::Tensor CausalAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const int64_t heads = q.size(1);
  const at::Tensor out =
      at::scaled_dot_product_attention(q, Repeated(k, heads), Repeated(v, heads), {},
                                       /*dropout_p=*/0.0, /*is_causal=*/true);
  return out.transpose(1, 2).reshape({q.size(0) * q.size(2), heads * q.size(3)});
}

Rotary::Rotary(int64_t head_width, int64_t tokens, double theta, at::ScalarType dtype) {
  const at::TensorOptions real = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor places = at::arange(0, head_width, 2, real).div(static_cast<double>(head_width));
  const at::Tensor angles =
      at::outer(at::arange(tokens, real), at::pow(theta, places).reciprocal());
  const at::Tensor both = at::cat({angles, angles}, 1);
  cos_ = both.cos().to(dtype);
  sin_ = both.sin().to(dtype);
}

at::Tensor Rotary::Turn(const at::Tensor& x) const {
  const int64_t half = x.size(3) / 2;
  const at::Tensor turned = at::cat({x.narrow(3, half, half).neg(), x.narrow(3, 0, half)}, 3);
  const int64_t tokens = x.size(2);
  if (cos_.device() != x.device()) {
    cos_ = cos_.to(x.device());
    sin_ = sin_.to(x.device());
  }
  return x * cos_.narrow(0, 0, tokens) + turned * sin_.narrow(0, 0, tokens);
}

}  // namespace coxswain::trainer::engine
