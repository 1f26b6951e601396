#include "sim/trace/job_model.h"

#include <algorithm>

namespace coxswain::sim::trace {
namespace {

class Fixed : public JobModel {
 public:
  explicit Fixed(double seconds) : left_(seconds) {}
  double Train(double seconds, const Shares&) override {
    double trained = std::min(seconds, left_);
    left_ -= trained;
    return trained;
  }
  bool done() const override { return left_ <= 0; }
  double Left(const Shares&) const override { return left_; }

 private:
  double left_;
};

}  // namespace

std::unique_ptr<JobModel> FixedLength(double seconds) { return std::make_unique<Fixed>(seconds); }

}  // namespace coxswain::sim::trace
