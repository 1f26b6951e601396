// TorchScript files, as torch.jit.save writes them, made without Python.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#undef CHECK  // LibTorch's; common/base/check.h, after this, has ours

namespace coxswain::trainer::engine {

struct ScriptParts {
  std::vector<std::pair<std::string, at::Tensor>> parameters, buffers;
  std::string source;  // methods, at least forward
};

inline std::string TorchScriptFile(const ScriptParts& parts) {
  torch::jit::Module module("__torch__.Model");
  module.register_attribute("training", c10::BoolType::get(), true);
  for (const auto& [name, tensor] : parts.parameters) {
    module.register_parameter(name, tensor, /*is_buffer=*/false);
  }
  for (const auto& [name, tensor] : parts.buffers) module.register_buffer(name, tensor);
  module.define(parts.source);
  std::ostringstream out;
  module.save(out);
  return std::move(out).str();
}

}  // namespace coxswain::trainer::engine
