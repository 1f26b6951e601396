#include "common/config/yaml_document.h"

#include <yaml-cpp/depthguard.h>

#include <algorithm>

#include "common/base/nearest_name.h"
#include "common/config/quantities.h"

namespace coxswain::config {
namespace {

constexpr size_t kLargestFile = 1 << 20;
constexpr size_t kMostMistakes = 100;

bool IsAtOrBelow(const std::string& path, const std::string& above) {
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '.');
}

uint32_t LineAt(std::string_view text, size_t offset) {
  return 1 + static_cast<uint32_t>(std::count(text.begin(), text.begin() + offset, '\n'));
}

std::string_view LineText(std::string_view text, uint32_t line) {
  for (; line > 1; --line) text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
  return text.substr(0, text.find('\n'));
}

void NoteSyntax(const YAML::Exception& error, std::string_view text, Notebook* notes) {
  if (dynamic_cast<const YAML::DeepRecursion*>(&error) != nullptr) {
    notes->Wrong("", static_cast<uint32_t>(error.mark.line + 1),
                 "lists and sections are nested deeper than any job file needs");
    return;
  }
  const uint32_t line = error.mark.is_null() ? 0 : static_cast<uint32_t>(error.mark.line + 1);
  const bool tab = line > 0 && LineText(text, line).find('\t') != std::string_view::npos;
  notes->Wrong("", line,
               "not valid YAML: " + error.msg +
                   (tab ? " (YAML is indented with spaces, and this line has a tab)" : ""));
}

bool CheckBytes(std::string_view text, Notebook* notes) {
  if (text.size() > kLargestFile) {
    // The reader of the file may have stopped early, so its size is not told.
    notes->Wrong("", 0, "found more than 1MiB of text, expected at most 1MiB");
    return false;
  }
  const size_t bad = FindBadByte(text, "\t\r\n");
  if (bad == std::string_view::npos) return true;
  notes->Wrong("", LineAt(text, bad),
               "found the byte " + Quoted(text.substr(bad, 1)) +
                   ", expected text in UTF-8 without control characters");
  return false;
}

// A path's parts. Below a map of free keys the rest is one key, dots and all.
std::vector<std::string> PathParts(const std::string& path,
                                   const std::vector<std::string>& free_maps) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (true) {
    const std::string above = begin == 0 ? "" : path.substr(0, begin - 1);
    const size_t dot = std::find(free_maps.begin(), free_maps.end(), above) != free_maps.end()
                           ? std::string::npos
                           : path.find('.', begin);
    parts.push_back(path.substr(begin, dot == std::string::npos ? dot : dot - begin));
    if (dot == std::string::npos) return parts;
    begin = dot + 1;
  }
}

YAML::Node ValueNode(const Override& what, Notebook* notes) {
  if (what.value.starts_with('[') || what.value.starts_with('{')) {
    try {
      return YAML::Load(what.value);
    } catch (const YAML::Exception& error) {
      notes->WrongOverride(what, "not valid YAML: " + error.msg);
    }
  }
  return YAML::Node(what.value);
}

// What other programs call it; empty: not known there, or not a key of ours.
std::string_view UsualName(std::string_view key) {
  static constexpr std::pair<std::string_view, std::string_view> kUsual[] = {
      {"lr", "learning_rate"},
      {"batch_size", "global_batch_size"},
      {"per_device_train_batch_size", "micro_batch_size"},
      {"gradient_accumulation_steps", "micro_batch_size"},
      {"accumulation_steps", "micro_batch_size"},
      {"num_train_epochs", "epochs"},
      {"num_epochs", "epochs"},
      {"max_grad_norm", "clip_norm"},
      {"gradient_clipping", "clip_norm"},
      {"num_workers", "workers"},
      {"nproc_per_node", "workers"},
      {"warmup", "warmup_steps"},
      {"gpus_per_node", "gpus"},
  };
  for (const auto& [usual, ours] : kUsual) {
    if (key == usual) return ours;
  }
  return "";
}

// The key of this name that is nearest to a section: in it, or else the first elsewhere.
const std::string* FindKnown(const std::vector<std::string>& known, std::string_view section,
                             std::string_view key) {
  const std::string* elsewhere = nullptr;
  for (const std::string& path : known) {
    const size_t dot = path.rfind('.');
    const std::string_view name = std::string_view(path).substr(dot == path.npos ? 0 : dot + 1);
    if (name != key) continue;
    if (dot != path.npos && std::string_view(path).substr(0, dot) == section) return &path;
    if (elsewhere == nullptr) elsewhere = &path;
  }
  return elsewhere;
}

std::string PlaceText(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == path.npos ? "the top of the file" : path.substr(0, dot);
}

}  // namespace

// Keys and values of the file are quoted in the texts, and YAML can write any character: "\e[31m".
Mistake Notebook::Place(const std::string& path, uint32_t line, std::string text) const {
  const Override* origin = OriginOf(path, line);
  if (origin != nullptr) return {Escaped(origin->label), 0, Escaped(path), Escaped(text)};
  return {file_, line, Escaped(path), Escaped(text)};
}

void Notebook::Wrong(const std::string& path, uint32_t line, std::string text) {
  mistakes_.push_back(Place(path, line, std::move(text)));
}

bool Notebook::IsWrong(const std::string& path) const {
  return std::any_of(mistakes_.begin(), mistakes_.end(),
                     [&](const Mistake& each) { return each.key == path; });
}

void Notebook::WrongOverride(const Override& which, const std::string& text) {
  mistakes_.push_back({Escaped(which.label), 0, Escaped(which.path), Escaped(text)});
}

const Override* Notebook::OriginOf(const std::string& path, uint32_t line) const {
  if (path.empty()) return nullptr;
  for (auto it = overrides_.rbegin(); it != overrides_.rend(); ++it) {
    if (IsAtOrBelow(path, it->path) || (line == 0 && IsAtOrBelow(it->path, path))) return &*it;
  }
  return nullptr;
}

void Notebook::UnknownKey(const std::string& section, const std::string& key, uint32_t line,
                          const std::vector<std::string>& valid_here) {
  unknown_.push_back({section, key, line, valid_here});
}

void Notebook::KnowKey(const std::string& path) { known_.push_back(path); }

std::string FlagOfKey(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

// A daemon's flag that is no key: people who type flags know nothing of a file.
void Notebook::ReportUnknownFlag(const std::string& path) {
  std::vector<std::string> flags;
  for (const std::string& known : known_) flags.push_back(FlagOfKey(known));
  Wrong(path, 0,
        "unknown flag" + base::DidYouMean(FlagOfKey(path), flags) + "; --help lists them all");
}

void Notebook::ReportUnknown(const Unknown& unknown) {
  const std::string path =
      unknown.section.empty() ? unknown.key : unknown.section + "." + unknown.key;
  const Override* origin = OriginOf(path, unknown.line);
  if (origin != nullptr && !origin->label.starts_with("--set ")) return ReportUnknownFlag(path);
  std::string hint = base::DidYouMean(unknown.key, unknown.valid_here);
  const std::string* same = FindKnown(known_, unknown.section, unknown.key);
  const std::string* usual = FindKnown(known_, unknown.section, UsualName(unknown.key));
  if (same != nullptr) {
    hint = (same->find('.') == std::string::npos ? " (its place is " : " (its place is in ") +
           PlaceText(*same) + ")";
  } else if (usual != nullptr) {
    hint = " (here it is " + *usual + ")";
  }
  Wrong(path, unknown.line,
        "unknown key '" + unknown.key + "' " +
            (!unknown.section.empty() ? "in " + unknown.section
             : origin != nullptr      ? "at the top"
                                      : "at the top of the file") +
            hint);
}

std::vector<Mistake> Notebook::Take() {
  for (const Unknown& unknown : unknown_) ReportUnknown(unknown);
  unknown_.clear();
  std::stable_sort(mistakes_.begin(), mistakes_.end(), [this](const Mistake& a, const Mistake& b) {
    const bool a_flag = a.file != file_, b_flag = b.file != file_;
    return a_flag != b_flag ? b_flag : a.line < b.line;
  });
  if (mistakes_.size() > kMostMistakes) {
    const size_t rest = mistakes_.size() - kMostMistakes;
    mistakes_.resize(kMostMistakes);
    mistakes_.push_back({file_, 0, "", "and " + std::to_string(rest) + " more mistakes"});
  }
  return std::move(mistakes_);
}

uint32_t LineOf(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? 0 : static_cast<uint32_t>(mark.line + 1);
}

YAML::Node LoadDocument(std::string_view text, Notebook* notes) {
  if (!CheckBytes(text, notes)) return YAML::Node();
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(std::string(text));
  } catch (const YAML::Exception& error) {
    NoteSyntax(error, text, notes);
    return YAML::Node();
  }
  if (documents.size() > 1) {
    notes->Wrong("", LineOf(documents[1]),
                 "found " + std::to_string(documents.size()) +
                     " documents (separated by ---), expected one");
    return YAML::Node();
  }
  return documents.empty() ? YAML::Node() : documents[0];
}

Override ParseOverride(std::string_view text, std::string_view flag) {
  const size_t equals = text.find('=');
  Override out;
  out.label = std::string(flag) + " " + std::string(text);
  out.path = std::string(text.substr(0, equals));
  if (equals != std::string_view::npos) out.value = std::string(text.substr(equals + 1));
  return out;
}

void ApplyOverride(const Override& what, const std::vector<std::string>& free_maps,
                   YAML::Node* root, Notebook* notes) {
  if (what.label.find('=') == std::string::npos || what.path.empty()) {
    notes->WrongOverride(what, "expected KEY=VALUE, such as spec.train.epochs=3");
    return;
  }
  if (FindBadByte(what.label, "\n\t") != std::string::npos) {
    notes->WrongOverride(what, "found a control character or a byte that is not UTF-8");
    return;
  }
  const std::vector<std::string> parts = PathParts(what.path, free_maps);
  std::string path;
  if (!root->IsDefined() || root->IsNull()) *root = YAML::Node(YAML::NodeType::Map);
  YAML::Node at = *root;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) {
      notes->WrongOverride(what, "found an empty name in the key " + Quoted(what.path));
      return;
    }
    if (at.IsScalar() || at.IsSequence()) {
      notes->WrongOverride(what, path + " is " + (at.IsScalar() ? Quoted(at.Scalar()) : "a list") +
                                     " here, which has no keys below it");
      return;
    }
    path += (i == 0 ? "" : ".") + parts[i];
    if (i + 1 == parts.size()) break;
    YAML::Node next = at[parts[i]];
    if (!next.IsDefined() || next.IsNull()) {
      at[parts[i]] = YAML::Node(YAML::NodeType::Map);
      next.reset(at[parts[i]]);
    }
    at.reset(next);
  }
  at[parts.back()] = ValueNode(what, notes);
  notes->AddOverride(what);
}

std::string Emit(const YAML::Node& root) {
  YAML::Emitter emitter;
  emitter << root;
  return std::string(emitter.c_str(), emitter.size()) + "\n";
}

}  // namespace coxswain::config
