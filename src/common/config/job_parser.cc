#include "common/config/job_parser.h"

#include <algorithm>
#include <filesystem>

#include "common/config/job_sections.h"
#include "common/config/yaml_document.h"

namespace coxswain::config {
namespace {

constexpr char kStoreKey[] = "spec.checkpoint.store";
const std::vector<std::string> kFreeMaps = {"metadata.labels", "spec.env",
                                            "spec.placement.node_selector", "spec.model.options"};

void AddPathOverride(const std::string& key, const std::string& value, std::string_view directory,
                     std::vector<std::string>* overrides) {
  if (value.empty() || value.find("://") != std::string::npos) return;
  const std::filesystem::path path = std::filesystem::path(directory) / value;
  overrides->push_back(key + "=file://" + path.lexically_normal().string());
}

// A list, if any of it is a path.
void AddPathsOverride(const std::string& key, const std::vector<std::string>& values,
                      std::string_view directory, std::vector<std::string>* overrides) {
  YAML::Node list(YAML::NodeType::Sequence);
  bool paths = false;
  for (const std::string& value : values) {
    std::vector<std::string> absolute;
    AddPathOverride("", value, directory, &absolute);
    paths |= !absolute.empty();
    list.push_back(absolute.empty() ? value : absolute.front().substr(1));
  }
  if (!paths) return;
  YAML::Emitter text;
  text << YAML::Flow << YAML::DoubleQuoted << list;
  overrides->push_back(key + "=" + text.c_str());
}

// A copy of `env:` with the values of secret names replaced.
YAML::Node MaskedMap(const YAML::Node& env) {
  YAML::Node masked(YAML::NodeType::Map);
  for (const auto& pair : env) {
    if (!pair.first.IsScalar()) continue;
    const std::string& name = pair.first.Scalar();
    masked.force_insert(name, IsSecretName(name) ? YAML::Node("***") : YAML::Clone(pair.second));
  }
  return masked;
}

}  // namespace

std::variant<ParsedJob, std::vector<Mistake>> ParseJob(std::string_view yaml, std::string_view file,
                                                       const std::vector<std::string>& overrides,
                                                       const JobSite& site) {
  Notebook notes{std::string(file)};
  YAML::Node root = LoadDocument(yaml, &notes);
  if (!notes.empty()) return notes.Take();
  if (!root.IsDefined() || root.IsNull()) {
    notes.Wrong("", 0,
                "the file is empty, expected apiVersion: coxswain/v1, kind, metadata and spec");
    return notes.Take();
  }
  if (!root.IsMap()) {
    notes.Wrong("", LineOf(root), "found " + Describe(root) + ", expected keys such as apiVersion");
    return notes.Take();
  }
  ParsedJob out;
  for (const std::string& text : overrides) {
    ApplyOverride(ParseOverride(text, "--set"), kFreeMaps, &root, &notes);
  }
  ReadJob(root, site, &notes, &out.spec, &out.warnings);
  if (!notes.empty()) return notes.Take();
  const std::string& store = site.default_store;
  const bool names_no_store = out.spec.checkpoint.store.empty() && !store.empty();
  if (names_no_store) {
    ApplyOverride({"default_store=" + store, kStoreKey, store}, kFreeMaps, &root, &notes);
    out.spec.checkpoint.store = store;
  }
  if (!notes.empty()) return notes.Take();
  out.yaml = overrides.empty() && !names_no_store ? std::string(yaml) : Emit(root);
  return out;
}

bool IsSecretName(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  for (const char* ending : {"KEY", "SECRET", "TOKEN", "PASSWORD"}) {
    if (upper.ends_with(ending)) return true;
  }
  return false;
}

std::string MaskSecrets(std::string_view yaml) {
  Notebook notes("");
  const YAML::Node root = LoadDocument(yaml, &notes);
  if (!notes.empty() || !root.IsMap()) return "# not shown: not a job file\n";
  YAML::Node shown(YAML::NodeType::Map);
  for (const auto& pair : root) {
    YAML::Node value = pair.second;
    if (pair.first.IsScalar() && pair.first.Scalar() == "spec" && value.IsMap()) {
      YAML::Node spec(YAML::NodeType::Map);
      for (const auto& below : pair.second) {
        const bool env =
            below.first.IsScalar() && below.first.Scalar() == "env" && below.second.IsMap();
        spec.force_insert(below.first, env ? MaskedMap(below.second) : below.second);
      }
      value.reset(spec);
    }
    shown.force_insert(pair.first, value);
  }
  return Emit(shown);
}

std::string MaskSecretsOfComplete(std::string_view yaml) {
  // A key cannot be written otherwise without an escape.
  bool plain =
      yaml.find("env") == std::string_view::npos && yaml.find('\\') == std::string_view::npos;
  return plain ? std::string(yaml) : MaskSecrets(yaml);
}

std::vector<std::string> AbsolutePathOverrides(const JobSpec& spec, std::string_view directory) {
  std::vector<std::string> overrides;
  AddPathOverride("spec.data.train.images", spec.data.train.images, directory, &overrides);
  AddPathOverride("spec.data.train.labels", spec.data.train.labels, directory, &overrides);
  if (spec.data.evaluate) {
    AddPathOverride("spec.data.evaluate.images", spec.data.evaluate->images, directory, &overrides);
    AddPathOverride("spec.data.evaluate.labels", spec.data.evaluate->labels, directory, &overrides);
  }
  const TableData& table = spec.data.table;
  AddPathsOverride("spec.data.train.files", table.files, directory, &overrides);
  AddPathsOverride("spec.data.evaluate.files", table.evaluate_files, directory, &overrides);
  AddPathOverride("spec.data.preprocessing", table.preprocessing, directory, &overrides);
  AddPathOverride("spec.data.tokenizer.file", spec.data.text.tokenizer_file, directory, &overrides);
  AddPathOverride("spec.model.from", spec.model.from, directory, &overrides);
  AddPathOverride("spec.model.module", spec.model.module, directory, &overrides);
  AddPathOverride("spec.model.plugin", spec.model.plugin, directory, &overrides);
  AddPathOverride("spec.checkpoint.store", spec.checkpoint.store, directory, &overrides);
  return overrides;
}

std::string PlaceOfKey(std::string_view yaml, std::string_view file,
                       const std::vector<std::string>& overrides, std::string_view key) {
  for (auto it = overrides.rbegin(); it != overrides.rend(); ++it) {
    const Override change = ParseOverride(*it, "--set");
    if (key == change.path || key.starts_with(change.path + ".")) return change.label;
  }
  Notebook notes{std::string(file)};
  YAML::Node at = LoadDocument(yaml, &notes);
  uint32_t line = 0;
  while (!key.empty() && at.IsDefined() && at.IsMap()) {
    const std::string_view part = key.substr(0, key.find('.'));
    key.remove_prefix(std::min(key.size(), part.size() + 1));
    YAML::Node below;
    for (const auto& pair : at) {
      if (!pair.first.IsScalar() || pair.first.Scalar() != part) continue;
      line = LineOf(pair.first);
      below.reset(pair.second);
    }
    at.reset(below);
  }
  return std::string(file) + (line > 0 ? ":" + std::to_string(line) : "");
}

std::vector<std::string> KnownJobKeys() {
  Notebook notes("");
  JobSpec ignored;
  std::vector<std::string> warnings;
  ReadJob(YAML::Node(), {}, &notes, &ignored, &warnings);
  return notes.known_keys();
}

std::string BestMetricOf(std::string_view yaml) {
  const auto parsed = ParseJob(yaml, "", {});
  const auto* job = std::get_if<ParsedJob>(&parsed);
  return job == nullptr || !job->spec.checkpoint.best ? "" : ToString(*job->spec.checkpoint.best);
}

}  // namespace coxswain::config
