// What is done to the values of a table before they go into a model: worked out once, from the
// training rows, and stored with the model. A value of its own: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/engine/data/table/column_choice.h"
#include "trainer/engine/data/table/table_source.h"

namespace coxswain::trainer::data {

struct NumericColumn {
  double mean = 0, std = 1;  // std of a constant column: 1
  friend bool operator==(const NumericColumn&, const NumericColumn&) = default;
};

// A category's code is its place here plus 1; code 0: missing, or not in the training rows.
struct CategoricalColumn {
  std::vector<std::string> values;  // ascending
  friend bool operator==(const CategoricalColumn&, const CategoricalColumn&) = default;
};

// What it was worked out from, to say so if the data is another one later.
struct FittedFile {
  std::string uri;
  int64_t rows = 0;
  friend bool operator==(const FittedFile&, const FittedFile&) = default;
};

struct Preprocessing {
  TableColumns columns;
  bool standardize = true;
  config::Nulls nulls = config::Nulls::kRefuse;  // what a missing number is
  std::vector<NumericColumn> numeric;            // as columns.numeric
  std::vector<CategoricalColumn> categorical;    // as columns.categorical
  std::vector<std::string> classes;              // empty: the target is a number
  std::vector<int64_t> class_counts;             // of the training rows
  NumericColumn target;                          // of a number
  std::vector<FittedFile> files;
  std::vector<std::string> warnings;  // of the values it was worked out from; stored nowhere

  SampleShape Shape() const;
  // For people: "4 columns of numbers: a, b, c, d; 1 of categories: e (3 values); target: f (2
  // classes)".
  std::string Summary() const;
  // Members "input" and "output" of config.json.
  Dataset::Description Describe() const;
};

// Whole, with `files`; the same bytes for the same value.
std::string ToJson(const Preprocessing& preprocessing);
// Of ToJson's text or a model's config.json (which has no `files`). INVALID_ARGUMENT: neither.
absl::StatusOr<Preprocessing> ParsePreprocessing(std::string_view json);

// Why values prepared for `columns` cannot go in by this; empty: they can.
std::string WhyOtherColumns(const Preprocessing& preprocessing, const TableColumns& columns);
// What has changed in the data since; empty: nothing that can be seen.
std::string WhatChanged(const Preprocessing& preprocessing, const TableSource& source);
std::vector<FittedFile> FilesOf(const TableSource& source);

// Whole numbers by value if all are, else by bytes.
void SortNames(std::vector<std::string>* names);

}  // namespace coxswain::trainer::data
