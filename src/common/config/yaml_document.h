// A YAML text as a tree, with the command line's overrides laid over it, and the notebook in which
// its readers write what is wrong. Inside common/config only.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/config/mistake.h"

namespace coxswain::config {

// "spec.train.epochs=3", given on the command line.
struct Override {
  std::string label;  // how messages call it: "--set spec.train.epochs=3"
  std::string path;   // "spec.train.epochs"
  std::string value;  // "3"; a list or map in YAML's flow style when it begins with [ or {
};

// Collects mistakes, each with the place it came from: a line of the file or an override.
class Notebook {
 public:
  explicit Notebook(std::string file) : file_(std::move(file)) {}

  // `line` 1-based; 0: the node is not from the file (then an override at `path`, above or below it
  // is named) or there is none.
  void Wrong(const std::string& path, uint32_t line, std::string text);
  // The same mistake, which is not noted: its reader may yet make it.
  Mistake Place(const std::string& path, uint32_t line, std::string text) const;
  // Reported by Take, when every valid key is known: it may have its place elsewhere.
  void UnknownKey(const std::string& section, const std::string& key, uint32_t line,
                  const std::vector<std::string>& valid_here);
  void KnowKey(const std::string& path);
  void AddOverride(Override applied) { overrides_.push_back(std::move(applied)); }
  // Of a mistake in the override itself.
  void WrongOverride(const Override& which, const std::string& text);

  // Something was noted at that key itself.
  bool IsWrong(const std::string& path) const;
  bool empty() const { return mistakes_.empty() && unknown_.empty(); }
  const std::vector<std::string>& known_keys() const { return known_; }
  // In file order, those of the command line last; at most 100, then one that counts the rest.
  std::vector<Mistake> Take();

 private:
  struct Unknown {
    std::string section, key;
    uint32_t line;
    std::vector<std::string> valid_here;
  };
  void ReportUnknown(const Unknown& unknown);
  void ReportUnknownFlag(const std::string& path);
  const Override* OriginOf(const std::string& path, uint32_t line) const;

  std::string file_;
  std::vector<Override> overrides_;
  std::vector<std::string> known_;
  std::vector<Unknown> unknown_;
  std::vector<Mistake> mistakes_;
};

// 1-based; 0 for nodes that are not from a text.
uint32_t LineOf(const YAML::Node& node);

// The only document of `text`; a null node, and notes, when it cannot be read. At most 1 MiB, valid
// UTF-8, no control characters. Never throws.
YAML::Node LoadDocument(std::string_view text, Notebook* notes);

// Splits "a.b.c=value". `free_maps`: paths whose keys are chosen by the user and may hold dots
// ("metadata.labels").
Override ParseOverride(std::string_view text, std::string_view flag);
// Sets the value in the tree, making sections on the way.
void ApplyOverride(const Override& what, const std::vector<std::string>& free_maps,
                   YAML::Node* root, Notebook* notes);

// The tree as text again. Never throws.
std::string Emit(const YAML::Node& root);

}  // namespace coxswain::config
