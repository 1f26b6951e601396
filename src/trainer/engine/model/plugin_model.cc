// A model from a shared library of the user's own (plugin/model_plugin.h).
#include <ATen/ATen.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "common/base/nearest_name.h"
#include "trainer/engine/model/own_model.h"
#include "trainer/engine/model/user_error.h"
#include "trainer/engine/plugin/model_plugin.h"

namespace coxswain::trainer::engine {
namespace {

constexpr char kKey[] = "spec.model.plugin: ";
constexpr std::string_view kMarker = "coxswain-model-plugin abi=";

// A library that was built for another LibTorch is not even loaded: its code would run.
void CheckMarker(const std::string& uri, const std::string& bytes) {
  const auto refuse = [&](const std::string& why) { throw UserError(kKey + uri + ": " + why); };
  if (!bytes.starts_with("\x7f"
                         "ELF"))
    refuse("is no shared library");
  const size_t at = bytes.find(kMarker);
  const size_t end = at == std::string::npos ? at : bytes.find(';', at);
  if (end == std::string::npos || end - at > 200) {
    refuse("is no plugin: it does not use COXSWAIN_MODEL_PLUGIN of <coxswain/model_plugin.h>");
  }
  const std::string told = bytes.substr(at + kMarker.size(), end - at - kMarker.size());
  const std::string abi = told.substr(0, told.find(' '));
  const size_t equals = told.find('=');
  const std::string torch = equals == std::string::npos ? "" : told.substr(equals + 1);
  const std::string ours = std::to_string(COXSWAIN_MODEL_PLUGIN_ABI);
  if (abi != ours) {
    refuse("was built for version " + abi + " of the plugin interface, this trainer has version " +
           ours + "; build it anew with this version's <coxswain/model_plugin.h>");
  }
  if (torch != TORCH_VERSION) {
    refuse("was built with LibTorch " + torch +
           ", this trainer has LibTorch " TORCH_VERSION "; build it anew with that version");
  }
}

// A folder's file is loaded from there, with the libraries beside it; one of s3:// from memory.
// Stays loaded for the life of the process: the code of its model does.
const ModelPlugin* Load(const std::string& uri, const std::string& bytes) {
  CheckMarker(uri, bytes);
  std::string path = uri.starts_with("file://") ? uri.substr(7) : uri;
  if (path.find('/') == std::string::npos) path = "./" + path;  // not from the system's places
  if (uri.starts_with("s3://")) {
    const int memory = memfd_create("coxswain-plugin", MFD_CLOEXEC);
    size_t done = 0;
    while (memory >= 0 && done < bytes.size()) {
      const ssize_t wrote = write(memory, bytes.data() + done, bytes.size() - done);
      if (wrote <= 0) throw UserError(kKey + uri + ": cannot be kept in memory");
      done += static_cast<size_t>(wrote);
    }
    path = "/proc/self/fd/" + std::to_string(memory);
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw UserError(kKey + uri + ": cannot be loaded: " + dlerror());
  }
  using Offer = const ModelPlugin* (*)();
  auto offer = reinterpret_cast<Offer>(dlsym(library, "coxswain_model_plugin"));
  if (offer == nullptr) {
    throw UserError(kKey + uri + ": has no function coxswain_model_plugin");
  }
  return offer();
}

coxswain::Samples Offered(const data::SampleShape& sample) {
  coxswain::Samples samples;
  samples.dense = sample.dense;
  samples.categories = sample.categories;
  samples.sequence = sample.sequence;
  samples.vocabulary = sample.vocabulary;
  samples.numbers = sample.classes == 0 && sample.sequence == 0;
  samples.outputs = sample.sequence > 0             ? sample.vocabulary
                    : samples.numbers               ? 1
                    : sample.classes == kAnyClasses ? 2
                                                    : sample.classes;
  return samples;
}

class Plugin : public OwnModel {
 public:
  Plugin(const config::Model& model, const ModelPlugin& plugin, const data::SampleShape& sample,
         at::ScalarType dtype, uint64_t seed)
      : OwnModel(kKey + model.plugin + " (" + plugin.name + ")", sample, dtype) {
    Make(model, plugin, sample, seed);
    Ask([this] { AddTensors(); });
    Try();
  }

 protected:
  at::Tensor Call(const Inputs& inputs, const ForwardPass& pass) override {
    if (model_->is_training() != pass.training) model_->train(pass.training);
    return model_->forward({inputs.dense, inputs.ids, pass.training, pass.position, pass.seed});
  }

  // Its members hold the very tensors, so their values are kept aside instead.
  void LendBuffers(const std::vector<size_t>& which) override {
    kept_.clear();
    for (size_t i : which) kept_.push_back(buffers()[i].tensor.detach().clone());
  }
  std::vector<at::Tensor> TakeBuffers(const std::vector<size_t>& which) override {
    std::vector<at::Tensor> taken;
    for (size_t i = 0; i < which.size(); ++i) {
      at::Tensor buffer = buffers()[which[i]].tensor;
      taken.push_back(buffer.detach().clone());
      // A version of its own: what backward has noted of the buffer stays valid.
      if (buffer.sizes() == kept_[i].sizes()) buffer.variable_data().copy_(kept_[i]);
    }
    return taken;
  }

 private:
  void Make(const config::Model& model, const ModelPlugin& plugin, const data::SampleShape& sample,
            uint64_t seed) {
    coxswain::Options options(model.options);
    try {
      AskSeeded(seed, [&] { model_.reset(plugin.make(Offered(sample), options)); });
    } catch (const UserError& error) {
      // The option first, so that it is found in the job file.
      const std::string told = error.what();
      const size_t at = told.find("spec.model.options.");
      if (at == std::string::npos) throw;
      throw UserError(told.substr(at) + " (says the plugin " + plugin.name + ")");
    }
    if (model_ == nullptr) Refuse("made no model");
    for (const auto& [name, value] : options.values()) {
      if (options.asked().count(name) > 0) continue;
      const std::vector<std::string> known(options.asked().begin(), options.asked().end());
      throw UserError("spec.model.options." + name + ": the plugin " + plugin.name +
                      " has no such option" + base::DidYouMean(name, known));
    }
  }

  void AddTensors() {
    std::unordered_set<c10::TensorImpl*> seen;
    for (const auto& each : model_->named_parameters()) {
      at::Tensor tensor = each.value();
      if (!tensor.requires_grad() || !seen.insert(tensor.unsafeGetTensorImpl()).second) continue;
      Settle(tensor);
      AddParameter(each.key(), tensor);
    }
    const auto add = [&](const std::string& name, at::Tensor tensor) {
      if (!tensor.defined() || !seen.insert(tensor.unsafeGetTensorImpl()).second) return;
      Settle(tensor);
      AddBuffer(name, tensor);
    };
    for (const auto& each : model_->named_parameters()) {
      if (!each.value().requires_grad()) add(each.key(), each.value());
    }
    for (const auto& each : model_->named_buffers()) add(each.key(), each.value());
  }

  std::unique_ptr<PluginModel> model_;
  std::vector<at::Tensor> kept_;
};

}  // namespace

std::unique_ptr<Model> MakePluginModel(const config::Model& model, const data::SampleShape& sample,
                                       at::ScalarType dtype, uint64_t seed,
                                       const std::string& bytes) {
  const ModelPlugin* plugin = Load(model.plugin, bytes);
  return std::make_unique<Plugin>(model, *plugin, sample, dtype, seed);
}

}  // namespace coxswain::trainer::engine
