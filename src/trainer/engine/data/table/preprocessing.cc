#include "trainer/engine/data/table/preprocessing.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace coxswain::trainer::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNulls[] = {"refuse", "mean", "zero"};  // by config::Nulls
constexpr char kFormat[] = "coxswain/table-preprocessing/v1";

bool WholeNumber(const std::string& text, int64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

Json InputOf(const Preprocessing& from) {
  Json means = Json::array(), stds = Json::array(), categories = Json::object();
  for (const NumericColumn& column : from.numeric) {
    means.push_back(column.mean);
    stds.push_back(column.std);
  }
  for (size_t i = 0; i < from.categorical.size(); ++i) {
    categories[from.columns.categorical[i]] = from.categorical[i].values;
  }
  return {{"layout", "table"},
          {"numeric", from.columns.numeric},
          {"categorical", from.columns.categorical},
          {"preprocessing",
           {{"standardize", from.standardize},
            {"missing_number", kNulls[static_cast<size_t>(from.nulls)]},
            {"mean", std::move(means)},
            {"std", std::move(stds)},
            {"unknown_category", 0},
            {"categories", std::move(categories)}}}};
}

Json OutputOf(const Preprocessing& from) {
  if (from.classes.empty()) {
    return {{"kind", "value"},
            {"target", from.columns.target},
            {"mean", from.target.mean},
            {"std", from.target.std}};
  }
  return {{"kind", "logits"},
          {"target", from.columns.target},
          {"classes", from.classes},
          {"class_counts", from.class_counts}};
}

void ReadInput(const Json& input, Preprocessing* out) {
  out->columns.numeric = input.at("numeric").get<std::vector<std::string>>();
  out->columns.categorical = input.at("categorical").get<std::vector<std::string>>();
  const Json& done = input.at("preprocessing");
  out->standardize = done.at("standardize").get<bool>();
  const auto nulls = done.at("missing_number").get<std::string>();
  for (size_t i = 0; i < std::size(kNulls); ++i) {
    if (nulls == kNulls[i]) out->nulls = static_cast<config::Nulls>(i);
  }
  const auto means = done.at("mean").get<std::vector<double>>();
  const auto stds = done.at("std").get<std::vector<double>>();
  for (size_t i = 0; i < out->columns.numeric.size(); ++i) {
    out->numeric.push_back({means.at(i), stds.at(i)});
  }
  for (const std::string& name : out->columns.categorical) {
    out->categorical.push_back({done.at("categories").at(name).get<std::vector<std::string>>()});
  }
}

void ReadOutput(const Json& output, Preprocessing* out) {
  out->columns.target = output.at("target").get<std::string>();
  out->columns.classes = output.at("kind").get<std::string>() == "logits";
  if (!out->columns.classes) {
    out->target = {output.at("mean").get<double>(), output.at("std").get<double>()};
    return;
  }
  out->classes = output.at("classes").get<std::vector<std::string>>();
  out->class_counts = output.at("class_counts").get<std::vector<int64_t>>();
}

std::string List(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return "[" + text + "]";
}

}  // namespace

void SortNames(std::vector<std::string>* names) {
  int64_t ignored = 0;
  bool whole = std::all_of(names->begin(), names->end(),
                           [&](const std::string& name) { return WholeNumber(name, &ignored); });
  if (!whole) return std::sort(names->begin(), names->end());
  std::sort(names->begin(), names->end(), [](const std::string& a, const std::string& b) {
    int64_t left = 0, right = 0;
    WholeNumber(a, &left);
    WholeNumber(b, &right);
    return left != right ? left < right : a < b;
  });
}

SampleShape Preprocessing::Shape() const {
  SampleShape shape;
  if (!numeric.empty()) shape.dense = {static_cast<int64_t>(numeric.size())};
  for (const CategoricalColumn& column : categorical) {
    shape.categories.push_back(static_cast<int64_t>(column.values.size()) + 1);
  }
  shape.classes = static_cast<int64_t>(classes.size());
  return shape;
}

std::string Preprocessing::Summary() const {
  static constexpr size_t kMost = 20;  // names
  auto list = [](size_t count, const char* what, auto name) {
    std::string text = std::to_string(count) + (count == 1 ? " column of " : " columns of ") + what;
    for (size_t i = 0; i < std::min(count, kMost); ++i) text += (i == 0 ? ": " : ", ") + name(i);
    return text + (count > kMost ? ", ..." : "") + "; ";
  };
  auto of = [](size_t count, const std::string& what) {
    return " (" + std::to_string(count) + " " + what + ")";
  };
  std::string text;
  if (!numeric.empty()) {
    text += list(numeric.size(), "numbers", [&](size_t i) { return columns.numeric[i]; });
  }
  if (!categorical.empty()) {
    text += list(categorical.size(), "categories", [&](size_t i) {
      const size_t values = categorical[i].values.size();
      return columns.categorical[i] + of(values, values == 1 ? "value" : "values");
    });
  }
  return text + "target: " + columns.target +
         (classes.empty() ? ", a number" : of(classes.size(), "classes"));
}

Dataset::Description Preprocessing::Describe() const {
  return {InputOf(*this).dump(), OutputOf(*this).dump()};
}

std::string ToJson(const Preprocessing& from) {
  Json files = Json::array();
  for (const FittedFile& file : from.files) {
    files.push_back({{"uri", file.uri}, {"rows", file.rows}});
  }
  return Json{{"format", kFormat},
              {"input", InputOf(from)},
              {"output", OutputOf(from)},
              {"files", std::move(files)}}
      .dump();
}

absl::StatusOr<Preprocessing> ParsePreprocessing(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    Preprocessing out;
    ReadInput(json.at("input"), &out);
    ReadOutput(json.at("output"), &out);
    if (auto files = json.find("files"); files != json.end()) {
      for (const Json& file : *files) {
        out.files.push_back({file.at("uri").get<std::string>(), file.at("rows").get<int64_t>()});
      }
    }
    return out;
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        std::string("expected the config.json of a model trained on a table: ") + error.what());
  }
}

std::string WhyOtherColumns(const Preprocessing& from, const TableColumns& columns) {
  if (from.columns.target != columns.target) {
    return "its target is '" + from.columns.target + "', this job's '" + columns.target + "'";
  }
  if (from.columns.classes != columns.classes) {
    return from.columns.classes ? "its task is classification, this job's regression"
                                : "its task is regression, this job's classification";
  }
  if (from.columns.numeric != columns.numeric) {
    return "its numeric columns are " + List(from.columns.numeric) + ", this job's " +
           List(columns.numeric);
  }
  if (from.columns.categorical == columns.categorical) return "";
  return "its categorical columns are " + List(from.columns.categorical) + ", this job's " +
         List(columns.categorical);
}

std::vector<FittedFile> FilesOf(const TableSource& source) {
  std::vector<FittedFile> files;
  for (const auto& file : source.files()) {
    int64_t rows = 0;
    for (int64_t group : file->groups()) rows += group;
    files.push_back({file->uri(), rows});
  }
  return files;
}

std::string WhatChanged(const Preprocessing& from, const TableSource& source) {
  const std::vector<FittedFile> now = FilesOf(source);
  for (size_t i = 0; i < std::min(now.size(), from.files.size()); ++i) {
    if (now[i].uri != from.files[i].uri) {
      return "file " + std::to_string(i + 1) + " was " + from.files[i].uri + " and is " +
             now[i].uri;
    }
    if (now[i].rows != from.files[i].rows) {
      return now[i].uri + " had " + std::to_string(from.files[i].rows) + " rows and has " +
             std::to_string(now[i].rows);
    }
  }
  if (now.size() == from.files.size()) return "";
  return "there were " + std::to_string(from.files.size()) + " files and there are " +
         std::to_string(now.size());
}

}  // namespace coxswain::trainer::data
