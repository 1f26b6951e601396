#include "trainer/engine/model/own_model.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <exception>
#include <mutex>
#include <new>

#include "common/base/rng.h"
#include "trainer/engine/model/user_error.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kTrialRows = 2;

// The process has one generator; engines on several threads are there in tests alone.
std::mutex& RandomNumbers() {
  static std::mutex mutex;
  return mutex;
}

void Seed(uint64_t seed) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  std::lock_guard lock(generator.mutex());
  generator.set_current_seed(seed);
}

uint64_t SeedOf(const ForwardPass& pass) {
  return base::Mix64(base::Mix64(pass.seed ^ 0xd409) + static_cast<uint64_t>(pass.position));
}

// TorchScript tells where it was first and what was wrong last.
std::string Told(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.find("Traceback of TorchScript") == std::string::npos) {
    return text.substr(0, text.find('\n'));
  }
  const size_t last = text.rfind('\n');
  std::string told = last == std::string::npos ? text : text.substr(last + 1);
  if (const size_t file = text.rfind("  File \""); file != std::string::npos) {
    told += " (" + text.substr(file + 2, text.find('\n', file) - file - 2) + ")";
  }
  return told;
}

std::string Sizes(at::IntArrayRef sizes) {
  std::string out = "(";
  for (size_t i = 0; i < sizes.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(sizes[i]);
  return out + ")";
}

std::vector<size_t> AllOf(size_t count) {
  std::vector<size_t> all(count);
  for (size_t i = 0; i < count; ++i) all[i] = i;
  return all;
}

}  // namespace

OwnModel::OwnModel(std::string key, const data::SampleShape& sample, at::ScalarType dtype)
    : key_(std::move(key)), sample_(sample), dtype_(dtype) {}

void OwnModel::Refuse(const std::string& why) const { throw UserError(key_ + ": " + why); }

void OwnModel::Ask(const std::function<void()>& work) const {
  std::string what;
  try {
    return work();
  } catch (const UserError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error& error) {
    what = error.what_without_backtrace();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "it threw something that is no std::exception";
  }
  if (what.find("DefaultCPUAllocator") != std::string::npos) throw std::bad_alloc();
  Refuse(Told(what));
}

void OwnModel::AskSeeded(uint64_t seed, const std::function<void()>& work) const {
  std::lock_guard lock(RandomNumbers());
  Seed(seed);
  Ask(work);
}

void OwnModel::Settle(at::Tensor& tensor) const {
  at::Tensor values = tensor.detach();
  if (values.is_floating_point()) values = values.to(dtype_);
  if (!values.is_contiguous()) values = values.contiguous();
  if (!values.is_same(tensor)) tensor.set_data(values);
}

at::Tensor OwnModel::Forward(const Inputs& inputs, const ForwardPass& pass) {
  std::vector<at::Tensor> taken;
  at::Tensor out = CallOnce(inputs, pass, changing_, &taken);
  if (pass.statistics == nullptr) return out;
  double* sums = pass.statistics;
  const auto rows = static_cast<double>(out.size(0));
  for (size_t i = 0; i < changing_.size(); ++i) {
    at::Tensor moved = taken[i].to(at::kDouble) - buffers()[changing_[i]].tensor.to(at::kDouble);
    at::from_blob(sums, moved.sizes(), at::kDouble).add_(moved.to(at::kCPU), rows);
    sums += moved.numel();
  }
  return out;
}

// The code may bring backward functions of its own.
void OwnModel::Backward(const at::Tensor& loss, const std::function<bool()>& group_failed) {
  std::exception_ptr thrown;
  try {
    return loss.backward();
  } catch (...) {
    thrown = std::current_exception();
  }
  if (group_failed()) std::rethrow_exception(thrown);
  Ask([&] { std::rethrow_exception(thrown); });
}

void OwnModel::UpdateStatistics(const double* sums, double rows) {
  for (size_t i : changing_) {
    at::Tensor buffer = buffers()[i].tensor;
    at::Tensor moved = at::from_blob(const_cast<double*>(sums), buffer.sizes(), at::kDouble) / rows;
    at::Tensor value = buffer.to(at::kDouble) + moved.to(buffer.device());
    if (!buffer.is_floating_point()) value = value.round();
    buffer.copy_(value);
    sums += buffer.numel();
  }
}

at::Tensor OwnModel::CallOnce(const Inputs& inputs, const ForwardPass& pass,
                              const std::vector<size_t>& lent, std::vector<at::Tensor>* taken) {
  at::Tensor out;
  LendBuffers(lent);
  const std::vector<int64_t> versions = Versions();
  const int64_t rows = inputs.dense.defined() ? inputs.dense.size(0) : inputs.ids.size(0);
  const auto call = [&] { out = Checked(Call(inputs, pass), rows); };
  try {
    pass.training ? AskSeeded(SeedOf(pass), call) : Ask(call);
  } catch (...) {
    TakeBuffers(lent);  // it has its own again
    throw;
  }
  at::NoGradGuard no_grad;
  *taken = TakeBuffers(lent);
  for (size_t i = 0, at = 0; i < versions.size(); ++i) {
    if (at < lent.size() && lent[at] == i) {
      ++at;
    } else if (buffers()[i].tensor._version() != versions[i]) {
      RefuseChange(i);
    }
  }
  for (size_t i = 0; i < lent.size(); ++i) {
    const NamedTensor& kept = buffers()[lent[i]];
    if ((*taken)[i].sizes() == kept.tensor.sizes()) continue;
    Refuse("changes the shape of its buffer '" + kept.name + "' from " +
           Sizes(kept.tensor.sizes()) + " to " + Sizes((*taken)[i].sizes()) +
           ", which a checkpoint cannot follow");
  }
  return out;
}

at::Tensor OwnModel::Checked(const at::Tensor& out, int64_t rows) const {
  if (!out.defined()) Refuse("gives an undefined tensor");
  std::string expected;
  bool good = out.is_floating_point();
  if (sample_.sequence > 0) {
    expected = Sizes({rows, sample_.sequence, sample_.vocabulary}) +
               ": for each place of the text a number for each token";
    good &= out.dim() == 3 && out.size(0) == rows && out.size(1) == sample_.sequence &&
            out.size(2) >= sample_.vocabulary;
  } else if (sample_.classes == 0) {
    expected = Sizes({rows, 1}) + " or " + Sizes({rows}) + ": a number for each row";
    good &= (out.dim() == 1 || (out.dim() == 2 && out.size(1) == 1)) && out.size(0) == rows;
  } else if (sample_.classes == kAnyClasses) {
    expected = "a row of numbers for each of them";
    good &= out.dim() >= 1 && out.size(0) == rows;
  } else {
    expected = Sizes({rows, sample_.classes}) + ": a number for each of the " +
               std::to_string(sample_.classes) + " classes";
    good &= out.dim() == 2 && out.size(0) == rows && out.size(1) == sample_.classes;
  }
  if (!good) {
    Refuse(std::string("gives ") + c10::toString(out.scalar_type()) + " of " + Sizes(out.sizes()) +
           " for " + std::to_string(rows) + (rows == 1 ? " row" : " rows") + ", expected " +
           expected);
  }
  at::Tensor result = out.scalar_type() == dtype_ ? out : out.to(dtype_);
  if (sample_.classes == 0 && sample_.sequence == 0 && out.dim() == 1) result = result.unsqueeze(1);
  return result.contiguous();
}

std::vector<int64_t> OwnModel::Versions() const {
  std::vector<int64_t> versions;
  for (const NamedTensor& each : buffers()) versions.push_back(each.tensor._version());
  return versions;
}

void OwnModel::RefuseChange(size_t buffer) const {
  Refuse("changes its buffer '" + buffers()[buffer].name +
         "', which it did not when it was tried: ranks would come to differ");
}

Inputs OwnModel::MadeUp(int64_t rows) const {
  Inputs inputs;
  if (!sample_.dense.empty()) {
    std::vector<int64_t> sizes = {rows};
    sizes.insert(sizes.end(), sample_.dense.begin(), sample_.dense.end());
    at::Generator generator = at::detail::createCPUGenerator(7);
    inputs.dense = at::randn(sizes, generator, at::TensorOptions().dtype(dtype_));
  }
  if (int64_t ids = sample_.ids_size(); ids > 0) inputs.ids = at::zeros({rows, ids}, at::kLong);
  return inputs;
}

void OwnModel::Try() {
  if (parameters().empty()) {
    Refuse(buffers().empty() ? "has no parameters: there is nothing to train (was it frozen by "
                               "torch.jit.freeze?)"
                             : "has no parameters that are to be trained: all are buffers, or have "
                               "requires_grad=False");
  }
  const Inputs inputs = MadeUp(kTrialRows);
  const std::vector<size_t> all = AllOf(buffers().size());
  std::vector<at::Tensor> taken;
  {
    at::NoGradGuard no_grad;
    CallOnce(inputs, ForwardPass{}, all, &taken);
  }
  ForwardPass training;
  training.training = true;
  at::Tensor out = CallOnce(inputs, training, all, &taken);
  size_t statistics = 0;
  for (size_t i : all) {
    if (at::equal(taken[i], buffers()[i].tensor)) continue;
    changing_.push_back(i);
    statistics += static_cast<size_t>(taken[i].numel());
  }
  SetStatisticsSize(statistics);
  if (!out.requires_grad()) {
    Refuse("its output does not depend on any parameter when it trains: there is nothing to train");
  }
  Ask([&] { out.sum().backward(); });
  for (const NamedTensor& parameter : parameters()) {
    if (!parameter.tensor.grad().defined()) {
      Refuse("its parameter '" + parameter.name +
             "' takes no part in the output: remove it, or set requires_grad=False");
    }
    parameter.tensor.mutable_grad().reset();
  }
}

}  // namespace coxswain::trainer::engine
