// Samples of any kind, and how they are read in the order of an epoch. No LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace coxswain::trainer::data {

// What every sample of a set is made of.
struct SampleShape {
  std::vector<int64_t> dense;       // of its numbers: {channels, height, width}, {columns}, or none
  std::vector<int64_t> categories;  // values that each categorical column may have
  int64_t sequence = 0;             // tokens; 0: no text
  int64_t vocabulary = 0;           // tokens are below it
  int64_t classes = 0;              // labels are below it; 0: the target is a number

  int64_t dense_size() const {
    return dense.empty()
               ? 0
               : std::accumulate(dense.begin(), dense.end(), int64_t{1}, std::multiplies<>());
  }
  // Whole numbers that go in, per sample: codes of categories, or tokens.
  int64_t ids_size() const {
    return sequence > 0 ? sequence : static_cast<int64_t>(categories.size());
  }
  // Labels per sample: the next token at each place of a text, or one class.
  int64_t labels_size() const { return sequence > 0 ? sequence : (classes > 0 ? 1 : 0); }
  friend bool operator==(const SampleShape&, const SampleShape&) = default;
};

// Stands where a text has no next token: nothing is predicted there.
inline constexpr int64_t kNoLabel = -100;

// Samples ready for a model, each row-major.
struct Rows {
  int64_t count = 0;
  std::vector<char> dense;      // count * dense_size floats, or doubles
  std::vector<int64_t> ids;     // count * ids_size
  std::vector<int64_t> labels;  // count * labels_size
  std::vector<double> targets;  // count, if the target is a number
};

// Reads samples by their place. For one thread; several readers of a set may live at once.
class SampleReader {
 public:
  virtual ~SampleReader() = default;
  // The samples that stand at [begin, end) of an epoch, as `rows`, whose memory is used again.
  // `epoch` below 0: as they are stored. FAILED_PRECONDITION: the data is unfit; NOT_FOUND,
  // PERMISSION_DENIED: it has gone since; UNAVAILABLE: the store.
  virtual absl::Status Read(int64_t epoch, int64_t begin, int64_t end, Rows& rows) = 0;
  // How many labels (kNoLabel) those samples lack.
  virtual int64_t MissingLabels(int64_t /*epoch*/, int64_t /*begin*/, int64_t /*end*/) { return 0; }
};

struct ReaderSettings {
  uint64_t seed = 1;     // of the epochs' order
  bool float64 = false;  // what dense numbers are made of
};

// Immutable, and for any thread. The order of an epoch is a permutation given by (seed, epoch) and
// the set alone, never by the number of ranks.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual const SampleShape& shape() const = 0;
  // How many samples of each class there are; empty: there are no classes.
  virtual std::vector<int64_t> ClassCounts() const { return {}; }
  // Targets that are numbers go in divided by this.
  virtual double target_std() const { return 1; }
  // What is done to values before they go in, for config.json: members of its "input" and "output",
  // as JSON. Both empty: images, of which the job file says it.
  struct Description {
    std::string input, output;
  };
  virtual Description Describe() const { return {}; }
  // The set must outlive what it gives.
  virtual std::unique_ptr<SampleReader> MakeReader(const ReaderSettings& settings) const = 0;
};

}  // namespace coxswain::trainer::data
