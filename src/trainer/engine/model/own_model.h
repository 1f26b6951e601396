// A model that the user brings along, as a TorchScript file or by a plugin: any code, which this
// makes into a Model whose numbers do not depend on how many ranks there are.
//
// - Random numbers (dropout) are keyed by (seed, position of the micro-batch): before each forward
//   pass of training the process's generator is seeded by them.
// - Buffers that a forward pass changes (running means, counters) begin every micro-batch of a step
//   with the same values. At the step's end they move by the mean of what the micro-batches made of
//   them, weighted by rows: of batch norm just what one pass over the whole batch would average.
//
// What the user's code throws, and what it returns in another shape, becomes a UserError.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "trainer/engine/engine.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

class OwnModel : public Model {
 public:
  // `key`: "spec.model.module: FILE", which every error begins with.
  OwnModel(std::string key, const data::SampleShape& sample, at::ScalarType dtype);

  at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) final;
  void Backward(const at::Tensor& loss, const std::function<bool()>& group_failed) final;
  void UpdateStatistics(const double* sums, double rows) final;

 protected:
  // The user's code. Any thread's exception, any shape.
  virtual at::Tensor Call(const Inputs& inputs, const ForwardPass& pass) = 0;
  // From now on the code works on copies of these buffers ...
  virtual void LendBuffers(const std::vector<size_t>& which) = 0;
  // ... and here is what it made of them; it has buffers() again. Of the others none may have been
  // replaced.
  virtual std::vector<at::Tensor> TakeBuffers(const std::vector<size_t>& which) = 0;

  // Numbers of the job's precision, in memory of their own, row by row. Keeps the tensor.
  void Settle(at::Tensor& tensor) const;
  // Parameters and buffers have been added: tries the code on rows of made-up numbers, for its
  // outputs and which buffers it changes.
  void Try();
  // What `work` throws, as a UserError; a want of memory stays what it is.
  void Ask(const std::function<void()>& work) const;
  // With LibTorch's generator of random numbers seeded before.
  void AskSeeded(uint64_t seed, const std::function<void()>& work) const;
  [[noreturn]] void Refuse(const std::string& why) const;
  [[noreturn]] void RefuseChange(size_t buffer) const;
  const std::string& key() const { return key_; }
  at::ScalarType dtype() const { return dtype_; }

 private:
  at::Tensor CallOnce(const Inputs& inputs, const ForwardPass& pass,
                      const std::vector<size_t>& lent, std::vector<at::Tensor>* taken);
  at::Tensor Checked(const at::Tensor& out, int64_t rows) const;
  Inputs MadeUp(int64_t rows) const;
  std::vector<int64_t> Versions() const;

  const std::string key_;
  const data::SampleShape sample_;
  const at::ScalarType dtype_;
  std::vector<size_t> changing_;  // of buffers()
};

// `bytes`: of the file at model.module or model.plugin. Throws UserError.
std::unique_ptr<Model> MakeTorchScript(const config::Model& model, const data::SampleShape& sample,
                                       at::ScalarType dtype, const std::string& bytes);
std::unique_ptr<Model> MakePluginModel(const config::Model& model, const data::SampleShape& sample,
                                       at::ScalarType dtype, uint64_t seed,
                                       const std::string& bytes);

}  // namespace coxswain::trainer::engine
