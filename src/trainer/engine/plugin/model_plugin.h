// A model of your own for Coxswain, as a shared library: installed as <coxswain/model_plugin.h>.
// Needs LibTorch (the version Coxswain was built with) and C++17, nothing else.
//
//   class MyModel : public coxswain::PluginModel {
//    public:
//     MyModel(const coxswain::Samples& samples, coxswain::Options& options);
//     torch::Tensor forward(const coxswain::Rows& rows) override;
//   };
//   COXSWAIN_MODEL_PLUGIN("my-model", MyModel)
//
// The job file names the library (spec.model.plugin) and gives it texts (spec.model.options). An
// exception from the constructor or forward ends the job as the user's failure, with its text.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/version.h>

#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// Grows when anything below changes.
#define COXSWAIN_MODEL_PLUGIN_ABI 1

namespace coxswain {

// What every sample of the job's data is made of, and what has to come out.
struct Samples {
  std::vector<int64_t> dense;       // numbers: {channels, height, width}, {columns}; or none
  std::vector<int64_t> categories;  // how many values each categorical column may have
  int64_t sequence = 0;             // tokens of a text; 0: no text
  int64_t vocabulary = 0;           // tokens are below it
  // Numbers that forward gives for a row (of a text: for each place of it): one for each class or
  // token, before any softmax, or 1: the number that is to be predicted. When a job with tables is
  // checked, before its rows have been read, this and `categories` are the least they can be.
  int64_t outputs = 1;
  bool numbers = false;  // the target is a number
};

// The rows of one forward pass; a tensor that the data has no use for is undefined.
struct Rows {
  torch::Tensor dense;    // (rows, ...Samples::dense), float32 or float64 as the job says
  torch::Tensor ids;      // int64: (rows, categorical columns), or tokens (rows, sequence)
  bool training = false;  // as is_training()
  // Of the first row, and the job's: what keys random numbers that are to be the same for any
  // number of ranks. LibTorch's own generator has been seeded by them.
  int64_t position = 0;
  uint64_t seed = 1;
};

// spec.model.options. One that nobody asks for is refused once the model has been made.
class Options {
 public:
  explicit Options(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  bool Has(const std::string& name) {
    asked_.insert(name);
    return values_.count(name) > 0;
  }
  std::string Text(const std::string& name, const std::string& otherwise) {
    return Has(name) ? values_[name] : otherwise;
  }
  int64_t Integer(const std::string& name, int64_t otherwise) {
    return Parse<int64_t>(name, otherwise, "a whole number");
  }
  double Number(const std::string& name, double otherwise) {
    return Parse<double>(name, otherwise, "a number");
  }
  bool Flag(const std::string& name, bool otherwise) {
    const std::string text = Text(name, otherwise ? "true" : "false");
    if (text != "true" && text != "false") Wrong(name, "true or false");
    return text == "true";
  }
  // For what a plugin checks itself. Throws: "spec.model.options.NAME: found "5", expected ...".
  [[noreturn]] void Wrong(const std::string& name, const std::string& expected) {
    throw std::invalid_argument("spec.model.options." + name + ": found \"" + Text(name, "") +
                                "\", expected " + expected);
  }

  const std::map<std::string, std::string>& values() const { return values_; }
  const std::set<std::string>& asked() const { return asked_; }

 private:
  template <class T>
  T Parse(const std::string& name, T otherwise, const char* expected) {
    if (!Has(name)) return otherwise;
    std::istringstream in(values_[name]);
    T value{};
    if (!(in >> value) || in.peek() != std::istringstream::traits_type::eof()) {
      Wrong(name, expected);
    }
    return value;
  }

  std::map<std::string, std::string> values_;
  std::set<std::string> asked_;
};

// The model: its registered parameters and buffers are what is trained, saved and exported. It is
// made in float32 with LibTorch's generator seeded by spec.train.seed, and turned into the job's
// precision. A parameter with requires_grad == false is kept as it is.
class PluginModel : public torch::nn::Module {
 public:
  // (rows, Samples::outputs); of a text (rows, sequence, outputs).
  virtual torch::Tensor forward(const Rows& rows) = 0;
};

// What a library offers; see the macro.
struct ModelPlugin {
  int32_t abi;
  const char* torch_version;
  const char* name;
  PluginModel* (*make)(const Samples& samples, Options& options);  // the caller owns it
};

}  // namespace coxswain

// Once in a library. The marker is read before the library is loaded.
#define COXSWAIN_PLUGIN_TEXT_2(x) #x
#define COXSWAIN_PLUGIN_TEXT(x) COXSWAIN_PLUGIN_TEXT_2(x)
#define COXSWAIN_MODEL_PLUGIN(NAME, MODEL)                                                     \
  extern "C" {                                                                                 \
  extern const char coxswain_plugin_marker[] __attribute__((visibility("default")));           \
  const char coxswain_plugin_marker[] = "coxswain-model-plugin abi=" COXSWAIN_PLUGIN_TEXT(     \
      COXSWAIN_MODEL_PLUGIN_ABI) " torch=" TORCH_VERSION ";";                                  \
  const coxswain::ModelPlugin* coxswain_model_plugin() __attribute__((visibility("default"))); \
  const coxswain::ModelPlugin* coxswain_model_plugin() {                                       \
    static const coxswain::ModelPlugin plugin = {                                              \
        COXSWAIN_MODEL_PLUGIN_ABI, TORCH_VERSION, NAME,                                        \
        [](const coxswain::Samples& samples, coxswain::Options& options)                       \
            -> coxswain::PluginModel* { return new MODEL(samples, options); }};                \
    return &plugin;                                                                            \
  }                                                                                            \
  }
