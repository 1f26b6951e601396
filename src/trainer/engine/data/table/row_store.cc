#include "trainer/engine/data/table/row_store.h"

#include <algorithm>
#include <cmath>

namespace coxswain::trainer::data {
namespace {

std::string List(const std::vector<std::string>& names) {
  constexpr size_t kMost = 10;
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i == kMost) return text + ", ...";
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text;
}

std::unordered_map<std::string, int32_t> PlacesOf(const std::vector<std::string>& names) {
  std::unordered_map<std::string, int32_t> places;
  for (const std::string& name : names) {
    const auto place = static_cast<int32_t>(places.size());
    places.emplace(name, place);
  }
  return places;
}

}  // namespace

void RowStore::Reserve(int64_t rows) {
  number_values_.reserve(static_cast<size_t>(rows * numbers_));
  code_values_.reserve(static_cast<size_t>(rows * codes_));
  targets_.reserve(static_cast<size_t>(rows));
}

void RowStore::Clear() {
  number_values_.clear();
  code_values_.clear();
  targets_.clear();
}

void RowStore::Append(const RowStore& from, int64_t begin, int64_t end) {
  number_values_.insert(number_values_.end(), from.number_values_.begin() + begin * numbers_,
                        from.number_values_.begin() + end * numbers_);
  code_values_.insert(code_values_.end(), from.code_values_.begin() + begin * codes_,
                      from.code_values_.begin() + end * codes_);
  targets_.insert(targets_.end(), from.targets_.begin() + begin, from.targets_.begin() + end);
}

void RowStore::Begin(int64_t count, bool float64, Rows& rows) const {
  rows.count = count;
  rows.dense.resize(static_cast<size_t>(count * numbers_) *
                    (float64 ? sizeof(double) : sizeof(float)));
  rows.ids.resize(static_cast<size_t>(count * codes_));
  rows.labels.resize(static_cast<size_t>(classes_ ? count : 0));
  rows.targets.resize(static_cast<size_t>(classes_ ? 0 : count));
}

void RowStore::Copy(int64_t row, int64_t place, bool float64, Rows& rows) const {
  const double* numbers = number_values_.data() + row * numbers_;
  if (float64) {
    auto* to = reinterpret_cast<double*>(rows.dense.data()) + place * numbers_;
    std::copy(numbers, numbers + numbers_, to);
  } else {
    auto* to = reinterpret_cast<float*>(rows.dense.data()) + place * numbers_;
    for (int64_t i = 0; i < numbers_; ++i) to[i] = static_cast<float>(numbers[i]);
  }
  const int32_t* codes = code_values_.data() + row * codes_;
  std::copy(codes, codes + codes_, rows.ids.data() + place * codes_);
  double target = targets_[static_cast<size_t>(row)];
  if (classes_) {
    rows.labels[static_cast<size_t>(place)] = static_cast<int64_t>(target);
  } else {
    rows.targets[static_cast<size_t>(place)] = target;
  }
}

RowEncoder::RowEncoder(const TableSource& source, const Preprocessing& preprocessing)
    : source_(source), preprocessing_(preprocessing), classes_(PlacesOf(preprocessing.classes)) {
  for (const CategoricalColumn& column : preprocessing.categorical) {
    categories_.push_back(PlacesOf(column.values));
  }
}

absl::Status RowEncoder::Append(size_t group, const GroupValues& values, RowStore* to) const {
  const size_t first = to->targets_.size(), count = values.taken.size();
  const auto numbers = static_cast<size_t>(to->numbers_), codes = static_cast<size_t>(to->codes_);
  to->number_values_.resize((first + count) * numbers);
  to->code_values_.resize((first + count) * codes);
  for (size_t column = 0; column < numbers; ++column) {
    const NumericColumn& by = preprocessing_.numeric[column];
    const std::vector<double>& from = values.columns[column].numbers;
    const double mean = preprocessing_.standardize ? by.mean : 0;
    const double std = preprocessing_.standardize ? by.std : 1;
    double* out = to->number_values_.data() + first * numbers + column;
    for (size_t i = 0; i < count; ++i, out += numbers) {
      double value = from[static_cast<size_t>(values.taken[i])];
      *out = ((std::isnan(value) ? by.mean : value) - mean) / std;
    }
  }
  for (size_t column = 0; column < codes; ++column) {
    const ColumnValues& from = values.columns[numbers + column];
    std::vector<int32_t> code_of;  // by place in the group's own texts
    for (const std::string& text : from.texts) {
      auto found = categories_[column].find(text);
      code_of.push_back(found == categories_[column].end() ? 0 : found->second + 1);
    }
    int32_t* out = to->code_values_.data() + first * codes + column;
    for (size_t i = 0; i < count; ++i, out += codes) {
      int32_t code = from.codes[static_cast<size_t>(values.taken[i])];
      *out = code < 0 ? 0 : code_of[static_cast<size_t>(code)];
    }
  }
  return AppendTargets(group, values, to);
}

absl::Status RowEncoder::AppendTargets(size_t group, const GroupValues& values,
                                       RowStore* to) const {
  const ColumnValues& from = values.columns.back();
  if (preprocessing_.classes.empty()) {
    const NumericColumn& by = preprocessing_.target;
    for (int64_t row : values.taken) {
      to->targets_.push_back((from.numbers[static_cast<size_t>(row)] - by.mean) / by.std);
    }
    return absl::OkStatus();
  }
  std::vector<int32_t> class_of;
  for (const std::string& text : from.texts) {
    auto found = classes_.find(text);
    class_of.push_back(found == classes_.end() ? -1 : found->second);
  }
  for (int64_t row : values.taken) {
    const auto code = static_cast<size_t>(from.codes[static_cast<size_t>(row)]);
    if (class_of[code] < 0) {
      return source_.Unfit(group, row, preprocessing_.columns.target,
                           "found the class '" + from.texts[code] +
                               "', which the training rows do not have; expected one of " +
                               List(preprocessing_.classes));
    }
    to->targets_.push_back(class_of[code]);
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::data
