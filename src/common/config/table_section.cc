#include "common/config/table_section.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/config/data_section.h"
#include "common/config/job_parser.h"
#include "common/config/quantities.h"

namespace coxswain::config {
namespace {

constexpr size_t kMostFiles = 10'000;
constexpr size_t kMostColumns = 100'000;
constexpr int64_t kLeastBuffer = 1 << 20;
constexpr int64_t kLargestBuffer = int64_t{16} << 40;
constexpr char kFiles[] = "a list of files, folders or patterns, such as [data/*.parquet]";

void ReadFiles(Section& in, std::vector<std::string>* out) {
  if (!in.TextList("files", kMostFiles, kFiles, out)) return;
  if (out->empty()) in.Wrong("files", std::string("found an empty list, expected ") + kFiles);
  for (const std::string& uri : *out) {
    if (const std::string wrong = WrongUri(uri, true); !wrong.empty()) in.Wrong("files", wrong);
  }
}

// A name that stands twice in one list or in both, or that is the target's.
std::string WrongColumns(const TableData& table) {
  std::vector<std::string> names = table.numeric;
  names.insert(names.end(), table.categorical.begin(), table.categorical.end());
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return "found the column " + Quoted(*twice) + " twice";
  if (std::binary_search(names.begin(), names.end(), table.target)) {
    return "found the column " + Quoted(table.target) + ", which is the target (spec.data.target)";
  }
  return "";
}

void ReadColumns(Section& in, TableData* out) {
  in.TextList("numeric", kMostColumns, "a list of names of columns", &out->numeric);
  in.TextList("categorical", kMostColumns, "a list of names of columns", &out->categorical);
  if (in.present() && out->numeric.empty() && out->categorical.empty()) {
    in.Wrong("numeric",
             "names no column, nor does 'categorical'; without spec.data.columns all "
             "but the target are taken");
  }
}

}  // namespace

void ReadTableTrain(Section& in, bool table, TableData* out) {
  if (table) in.Require("files", kFiles);
  ReadFiles(in, &out->files);
}

void ReadTableEvaluate(Section& in, bool table, TableData* out) {
  ReadFiles(in, &out->evaluate_files);
  in.Real("fraction", {.low = 0, .high = 1, .above = true, .below = true}, &out->evaluate_fraction);
  if (!table || !in.present()) return;
  if (in.Has("files") && in.Has("fraction")) {
    in.Wrong("fraction", "cannot stand beside 'files': either has the rows to evaluate on");
  }
  if (!in.Has("fraction")) in.Require("files", std::string(kFiles) + ", or 'fraction'");
}

void ReadTable(Section& in, const Data& data, TableData* out) {
  if (data.IsTable()) in.Require("target", "the name of the column to be predicted");
  in.Text("target", "the name of a column", &out->target);
  in.Choice<TableTask>(
      "task",
      {{"classification", TableTask::kClassification}, {"regression", TableTask::kRegression}},
      &out->task);
  in.Below("columns", [&](Section& below) { ReadColumns(below, out); });
  if (const std::string wrong = WrongColumns(*out); data.IsTable() && !wrong.empty()) {
    in.Wrong("columns", wrong);
  }
  in.Choice<Nulls>("nulls",
                   {{"refuse", Nulls::kRefuse}, {"mean", Nulls::kMean}, {"zero", Nulls::kZero}},
                   &out->nulls);
  in.Choice<bool>("nan", {{"refuse", false}, {"null", true}}, &out->nan_is_null);
  in.Bool("standardize", &out->standardize);
  in.Size("buffer", kLeastBuffer, kLargestBuffer, &out->buffer_bytes);
  ReadUri(in, "preprocessing", true, &out->preprocessing);
  if (in.Text("delimiter", "one character, such as ';'", &out->delimiter) &&
      (out->delimiter.size() != 1 || out->delimiter == "\"")) {
    in.Wrong("delimiter", "found " + Quoted(out->delimiter) + ", expected one character, not \"");
  }
}

}  // namespace coxswain::config
