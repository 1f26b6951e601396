#include "trainer/engine/data/table/preprocessing_fit.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>

namespace coxswain::trainer::data {
namespace {

constexpr size_t kMostCategories = 1'000'000;
constexpr size_t kMostClasses = 10'000;
constexpr size_t kMostTextBytes = 64 << 20;  // of one column's categories

// Mean and variance, group by group: two passes within a group, then the groups together (Chan,
// Golub and LeVeque 1983).
class Moments {
 public:
  void Add(const ColumnValues& values, const std::vector<int64_t>& taken) {
    double count = 0, sum = 0, squares = 0;
    for (int64_t row : taken) {
      double value = values.numbers[static_cast<size_t>(row)];
      if (std::isnan(value)) continue;  // missing
      count += 1;
      sum += value;
    }
    if (count == 0) return;
    double mean = sum / count;
    for (int64_t row : taken) {
      double value = values.numbers[static_cast<size_t>(row)];
      if (!std::isnan(value)) squares += (value - mean) * (value - mean);
    }
    double all = count_ + count, apart = mean - mean_;
    mean_ += apart * count / all;
    squares_ += squares + apart * apart * count_ * count / all;
    count_ = all;
  }

  double count() const { return count_; }
  NumericColumn Column() const {
    double std = count_ > 0 ? std::sqrt(squares_ / count_) : 0;
    // What rounding leaves of a constant column is no spread.
    bool constant = std <= 1e-12 * std::abs(mean_);
    return {mean_, constant ? 1 : std};
  }

 private:
  double count_ = 0, mean_ = 0, squares_ = 0;
};

// The distinct texts of a column, counted.
class Names {
 public:
  void Add(const ColumnValues& values, const std::vector<int64_t>& taken) {
    std::vector<int64_t> counts(values.texts.size());
    for (int64_t row : taken) {
      int32_t code = values.codes[static_cast<size_t>(row)];
      if (code >= 0) ++counts[static_cast<size_t>(code)];
    }
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      auto [at, fresh] = counts_.try_emplace(values.texts[i], 0);
      at->second += counts[i];
      if (fresh) bytes_ += values.texts[i].size();
    }
  }
  bool TooMany(size_t most) const { return counts_.size() > most || bytes_ > kMostTextBytes; }
  std::vector<std::string> Sorted() const {
    std::vector<std::string> names;
    for (const auto& each : counts_) names.push_back(each.first);
    SortNames(&names);
    return names;
  }
  int64_t count(const std::string& name) const { return counts_.at(name); }

 private:
  std::unordered_map<std::string, int64_t> counts_;
  size_t bytes_ = 0;
};

class Fit {
 public:
  explicit Fit(const TableSource& source)
      : source_(source),
        numeric_(source.columns().numeric.size()),
        categorical_(source.columns().categorical.size()) {}

  absl::Status Add(size_t index, const GroupValues& group) {
    const TableColumns& columns = source_.columns();
    size_t at = 0;
    for (Moments& column : numeric_) {
      Note(index, columns.numeric[at], group.columns[at]);
      column.Add(group.columns[at], group.taken);
      ++at;
    }
    for (size_t i = 0; i < categorical_.size(); ++i) {
      categorical_[i].Add(group.columns[at++], group.taken);
      if (!categorical_[i].TooMany(kMostCategories)) continue;
      return Unfit("column '" + columns.categorical[i] +
                   "' has more than 1000000 categories (or 64 MiB of them): leave it out, or take "
                   "it as numbers (spec.data.columns)");
    }
    if (!columns.classes) {
      Note(index, columns.target, group.columns[at]);
      target_.Add(group.columns[at], group.taken);
      return absl::OkStatus();
    }
    classes_.Add(group.columns[at], group.taken);
    if (!classes_.TooMany(kMostClasses)) return absl::OkStatus();
    return Unfit("the target '" + columns.target +
                 "' has more than 10000 classes: is it spec.data.task: regression?");
  }

  absl::StatusOr<Preprocessing> Result() const {
    Preprocessing out;
    out.columns = source_.columns();
    out.nulls = source_.spec().nulls;
    out.standardize = source_.spec().standardize;
    out.files = FilesOf(source_);
    for (const auto& each : rounded_) out.warnings.push_back(each.second);
    for (size_t i = 0; i < numeric_.size(); ++i) {
      if (numeric_[i].count() == 0) {
        return Unfit("column '" + out.columns.numeric[i] +
                     "' has no value in any row: leave it out (spec.data.columns)");
      }
      out.numeric.push_back(numeric_[i].Column());
      absl::Status finite = Finite(out.numeric.back(), "column '" + out.columns.numeric[i] + "'");
      if (!finite.ok()) return finite;
    }
    for (const Names& column : categorical_) out.categorical.push_back({column.Sorted()});
    if (!out.columns.classes) {
      out.target = target_.Column();
      if (!out.standardize) out.target = {0, 1};
      absl::Status finite = Finite(out.target, "the target '" + out.columns.target + "'");
      if (!finite.ok()) return finite;
      return out;
    }
    out.classes = classes_.Sorted();
    for (const std::string& name : out.classes) out.class_counts.push_back(classes_.count(name));
    if (out.classes.size() > 1) return out;
    return Unfit("the target '" + out.columns.target + "' is '" + out.classes.front() +
                 "' in every one of the " + std::to_string(source_.size()) +
                 " rows; expected at least two classes");
  }

 private:
  absl::Status Unfit(const std::string& what) const {
    return absl::FailedPreconditionError(source_.key() + ": " + what);
  }
  absl::Status Finite(const NumericColumn& fitted, const std::string& column) const {
    if (std::isfinite(fitted.mean) && std::isfinite(fitted.std)) return absl::OkStatus();
    return Unfit(column +
                 " has numbers so large that their standard deviation is beyond 1.8e308, the "
                 "largest number of 64 bits: write it in a larger unit, or leave it out "
                 "(spec.data.columns)");
  }

  // The first of each column's.
  void Note(size_t group, const std::string& column, const ColumnValues& values) {
    if (values.rounded_row < 0 || rounded_.contains(column)) return;
    const absl::Status said = source_.Unfit(
        group, values.rounded_row, column,
        "found " + values.rounded +
            ", a whole number beyond 2^53, which 64 bits of floating point "
            "hold rounded only; if it is a name, not an amount, list the column under "
            "spec.data.columns.categorical");
    rounded_.emplace(column, said.message());
  }

  const TableSource& source_;
  std::map<std::string, std::string> rounded_;  // by column: the warning
  std::vector<Moments> numeric_;
  std::vector<Names> categorical_;
  Moments target_;
  Names classes_;
};

}  // namespace

absl::StatusOr<Preprocessing> FitPreprocessing(const TableSource& source,
                                               const std::function<void(GroupValues)>& keep) {
  Fit fit(source);
  for (size_t i = 0; i < source.groups().size(); ++i) {
    absl::StatusOr<GroupValues> group = source.Read(i);
    if (!group.ok()) return group.status();
    if (absl::Status added = fit.Add(i, *group); !added.ok()) return added;
    if (keep) keep(*std::move(group));
  }
  return fit.Result();
}

}  // namespace coxswain::trainer::data
