// A TorchScript file, as torch.jit.save writes it, trained as it is.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>
#include <torch/csrc/jit/serialization/import.h>

#include <map>
#include <sstream>

#include "trainer/engine/model/own_model.h"
#include "trainer/engine/model/user_error.h"

namespace coxswain::trainer::engine {
namespace {

class TorchScript : public OwnModel {
 public:
  TorchScript(const config::Model& model, const data::SampleShape& sample, at::ScalarType dtype,
              const std::string& bytes)
      : OwnModel("spec.model.module: " + model.module, sample, dtype) {
    Load(bytes);
    CheckForward(sample);
    Ask([this] {
      AddTensors(true);
      AddTensors(false);
    });
    Try();
  }

  std::string Serialized() const override {
    torch::jit::Module module = module_;
    const bool training = training_;
    module.eval();
    std::ostringstream out;
    module.save(out);
    if (training) module.train();
    return std::move(out).str();
  }

 protected:
  at::Tensor Call(const Inputs& inputs, const ForwardPass& pass) override {
    if (training_ != pass.training || !mode_set_) module_.train(pass.training);
    training_ = pass.training;
    mode_set_ = true;
    std::vector<c10::IValue> arguments;
    if (inputs.dense.defined()) arguments.emplace_back(inputs.dense);
    if (inputs.ids.defined()) arguments.emplace_back(inputs.ids);
    // Plain operators with plain autograd: the same numbers in the first step as in the thousandth,
    // and in PyTorch itself.
    torch::jit::setGraphExecutorOptimize(false);
    const c10::IValue out = module_.forward(std::move(arguments));
    if (!out.isTensor()) {
      Refuse("its forward gives " +
             (out.isTuple() ? std::to_string(out.toTupleRef().size()) + " values (a tuple)"
                            : "a " + out.tagKind()) +
             ", expected one tensor");
    }
    return out.toTensor();
  }

  // A module may write into a buffer or put another tensor in its place.
  void LendBuffers(const std::vector<size_t>& which) override {
    for (size_t i : which) Put(i, buffers()[i].tensor.detach().clone());
  }
  std::vector<at::Tensor> TakeBuffers(const std::vector<size_t>& which) override {
    std::vector<at::Tensor> taken;
    for (size_t i : which) {
      const Slot& slot = slots_[i].front();
      taken.push_back(slot.object->getSlot(slot.index).toTensor());
      Put(i, originals_[i]);
    }
    for (size_t i = 0; i < slots_.size(); ++i) {
      for (const Slot& slot : slots_[i]) {
        if (!slot.object->getSlot(slot.index).toTensor().is_same(originals_[i])) RefuseChange(i);
      }
    }
    return taken;
  }

 private:
  struct Slot {
    c10::intrusive_ptr<c10::ivalue::Object> object;
    size_t index;
  };

  void Load(const std::string& bytes) {
    // A file of torch.save is such an archive too, without code.
    const bool archive = bytes.starts_with("PK");
    if (!archive || bytes.rfind("constants.pkl") == std::string::npos) {
      Refuse(std::string("is no TorchScript file") +
             (archive ? ", although it may be one of torch.save" : "") +
             "; write one with torch.jit.script(model).save(\"model.pt\")");
    }
    Ask([&] {
      std::istringstream in(bytes);
      module_ = torch::jit::load(in, at::Device(at::kCPU));
    });
  }

  void CheckForward(const data::SampleShape& sample) const {
    auto method = module_.find_method("forward");
    if (!method) Refuse("has no method 'forward'");
    const auto& arguments = method->function().getSchema().arguments();
    size_t needed = 0;
    for (const auto& argument : arguments) needed += argument.default_value() ? 0 : 1;
    const size_t most = arguments.size() - 1;  // the first is self
    needed -= 1;
    const bool numbers = !sample.dense.empty(), ids = sample.ids_size() > 0;
    const size_t given = (numbers ? 1 : 0) + (ids ? 1 : 0);
    if (needed <= given && given <= most) return;
    const std::string what = sample.sequence > 0 ? "the tokens"
                             : numbers && ids    ? "the numbers and the codes of categories"
                             : numbers           ? "the numbers of the samples"
                                                 : "the codes of categories";
    Refuse("its forward takes " + std::to_string(needed) +
           (needed == 1 ? " argument" : " arguments") + ", but spec.data gives " +
           std::to_string(given) + ": " + what);
  }

  // Each tensor once, under its first name, whatever the number of places that hold it.
  void AddTensors(bool parameters) {
    for (const auto& child : module_.named_modules()) {
      const auto& object = child.value._ivalue();
      const auto& type = child.value.type();
      for (size_t i = 0; i < type->numAttributes(); ++i) {
        if (!object->getSlot(i).isTensor()) continue;
        at::Tensor tensor = object->getSlot(i).toTensor();
        if (!tensor.defined()) continue;
        const bool trained =
            type->is_parameter(i) && tensor.requires_grad() && tensor.is_floating_point();
        if (trained != parameters) continue;
        if (!type->is_parameter(i) && tensor.requires_grad()) tensor.set_requires_grad(false);
        AddOnce((child.name.empty() ? "" : child.name + ".") + type->getAttributeName(i), tensor,
                {object, i}, parameters);
      }
    }
  }

  void AddOnce(const std::string& name, at::Tensor tensor, Slot slot, bool parameter) {
    auto [at, fresh] = places_.emplace(tensor.unsafeGetTensorImpl(), slots_.size());
    if (parameter) {
      if (!fresh) return;
      Settle(tensor);
      AddParameter(name, tensor);
      return;
    }
    if (!fresh) {
      slots_[at->second].push_back(std::move(slot));
      return;
    }
    Settle(tensor);
    originals_.push_back(tensor);
    AddBuffer(name, tensor);
    slots_.push_back({std::move(slot)});
  }

  void Put(size_t buffer, const at::Tensor& tensor) {
    for (const Slot& slot : slots_[buffer]) slot.object->setSlot(slot.index, tensor);
  }

  torch::jit::Module module_;
  bool training_ = false, mode_set_ = false;
  std::map<c10::TensorImpl*, size_t> places_;  // of a buffer: in what follows
  std::vector<std::vector<Slot>> slots_;       // of each of buffers()
  std::vector<at::Tensor> originals_;
};

}  // namespace

std::unique_ptr<Model> MakeTorchScript(const config::Model& model, const data::SampleShape& sample,
                                       at::ScalarType dtype, const std::string& bytes) {
  return std::make_unique<TorchScript>(model, sample, dtype, bytes);
}

}  // namespace coxswain::trainer::engine
