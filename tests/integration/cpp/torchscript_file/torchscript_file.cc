// torchscript_file images|narrow|table|text FILE: a model that torch.jit.save could have written.
//   images: of 1 x 28 x 28 pixels and 10 classes, with batch norm and dropout; narrow: 9 outputs
//   table: of 4 numbers and 3 classes; text: of 257 tokens
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>

#include "tests/unit/trainer/engine/torchscript_file.h"

namespace {

using coxswain::trainer::engine::ScriptParts;

at::Tensor Weights(std::initializer_list<int64_t> shape) {
  const double bound = 1 / std::sqrt(static_cast<double>(*(shape.end() - 1)));
  return at::empty(shape).uniform_(-bound, bound).set_requires_grad(true);
}

ScriptParts Images(int64_t classes) {
  ScriptParts parts;
  parts.parameters = {{"first", Weights({32, 784})},
                      {"scale", at::ones({32}).set_requires_grad(true)},
                      {"shift", at::zeros({32}).set_requires_grad(true)},
                      {"last", Weights({classes, 32})}};
  parts.buffers = {{"mean", at::zeros({32})}, {"var", at::ones({32})}};
  parts.source = R"(
def forward(self, x):
    x = torch.linear(torch.flatten(x, 1), self.first)
    x = torch.batch_norm(x, self.scale, self.shift, self.mean, self.var, self.training, 0.1, 1e-5, False)
    x = torch.dropout(torch.relu(x), 0.2, self.training)
    return torch.linear(x, self.last)
)";
  return parts;
}

ScriptParts Table() {
  ScriptParts parts;
  parts.parameters = {{"first", Weights({16, 4})}, {"last", Weights({3, 16})}};
  parts.source = R"(
def forward(self, x):
    return torch.linear(torch.tanh(torch.linear(x, self.first)), self.last)
)";
  return parts;
}

ScriptParts Text() {
  ScriptParts parts;
  parts.parameters = {{"tokens", Weights({257, 32})}, {"last", Weights({257, 32})}};
  parts.source = R"(
def forward(self, ids):
    return torch.linear(torch.embedding(self.tokens, ids), self.last)
)";
  return parts;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  at::manual_seed(5);
  const std::map<std::string, ScriptParts> kinds = {
      {"images", Images(10)}, {"narrow", Images(9)}, {"table", Table()}, {"text", Text()}};
  auto kind = kinds.find(argv[1]);
  if (kind == kinds.end()) return 2;
  std::ofstream(argv[2], std::ios::binary)
      << coxswain::trainer::engine::TorchScriptFile(kind->second);
}
