// Reads the keys of one YAML map into fields and notes everything that is wrong: types, ranges,
// names, unknown and duplicate keys. A reader declares each key by reading it, present or not; what
// remains is unknown. Inside common/config only.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/config/yaml_document.h"

namespace coxswain::config {

template <class T>
inline constexpr T kNoLimit = std::numeric_limits<T>::max();

// The bounds of a real number; `above`: `low` itself is excluded; `below`: `high` is.
struct RealRange {
  double low = 0;
  double high = 1;
  bool above = false;
  bool below = false;
};

class Section {
 public:
  // `node` may be null or undefined: a section that is not there, whose keys all keep their
  // defaults.
  Section(const YAML::Node& node, std::string path, uint32_t line, Notebook* notes);

  bool present() const { return present_; }
  const std::string& path() const { return path_; }
  // True if the file or an override has the key.
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // True if it is there with keys below it.
  bool IsSection(std::string_view key) const;
  bool IsList(std::string_view key) const;

  // Each of these leaves `out` as it is when the key is absent or wrong, and returns true when it
  // was set.
  bool Integer(std::string_view key, int64_t low, int64_t high, int64_t* out);
  bool Integer(std::string_view key, uint32_t low, uint32_t high, uint32_t* out);
  bool Seed(std::string_view key, uint64_t* out);
  bool Real(std::string_view key, RealRange range, double* out);
  bool Bool(std::string_view key, bool* out);
  bool Duration(std::string_view key, base::Duration low, base::Duration high, base::Duration* out);
  bool Size(std::string_view key, int64_t low, int64_t high, int64_t* out);
  // Not empty, no control characters, valid UTF-8.
  bool Text(std::string_view key, std::string_view expected, std::string* out);
  bool IntegerList(std::string_view key, int64_t low, int64_t high, size_t most,
                   std::vector<int64_t>* out);
  bool RealList(std::string_view key, RealRange range, size_t most, std::vector<double>* out);
  // Texts that are not empty and hold no control characters. An empty list is allowed.
  bool TextList(std::string_view key, size_t most, std::string_view expected,
                std::vector<std::string>* out);
  // A list of texts, each as it is to be given to a program (empty ones and line ends too, but no
  // NUL), or one text: {"/bin/sh", "-c", TEXT}.
  bool Command(std::string_view key, size_t most, std::string_view expected,
               std::vector<std::string>* out);
  // A map with keys of the user's choice. `check` returns what is wrong with a pair, or "".
  using PairCheck = std::function<std::string(const std::string& key, const std::string& value)>;
  bool TextMap(std::string_view key, size_t most, const PairCheck& check,
               std::map<std::string, std::string>* out);

  template <class E>
  bool Choice(std::string_view key, const std::vector<std::pair<std::string, E>>& choices, E* out,
              const std::string& also = "") {
    std::vector<std::string> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    size_t index = 0;
    if (!ChoiceIndex(key, names, &index, also)) return false;
    *out = choices[index].second;
    return true;
  }

  // Reads a section below this one, present or not, then reports its unknown keys.
  void Below(std::string_view key, const std::function<void(Section&)>& read);

  // A map with sections under names of the user's choice. `wrong` says what is wrong with a name,
  // or "".
  void EachBelow(std::string_view key, size_t most,
                 const std::function<std::string(const std::string&)>& wrong,
                 const std::function<void(const std::string& name, Section&)>& read);

  // Notes that a key is missing, if this section is there without it. `expected`: "a name such as
  // ...".
  void Require(std::string_view key, std::string_view expected);
  // Notes what is wrong with a key that has been read: "needs ...", after the key's path.
  void Wrong(std::string_view key, std::string text);
  // What is wrong with it by the value of another key: not noted if that one has a mistake itself
  // ("spec.data.format"), as nobody knows then what it should have been.
  void WrongBy(const std::string& other, std::string_view key, std::string text);
  bool IsWrong(const std::string& path) const { return notes_->IsWrong(path); }
  // The same of a key that another section had: its path, and the line that LineOfKey told there.
  void WrongAt(const std::string& path, uint32_t line, const std::string& text);
  // A mistake at a key, for a reader who can judge it only later: its text ends with "KEY: ".
  Mistake Place(std::string_view key) const {
    return notes_->Place(PathOf(key), LineOfKey(key), PathOf(key) + ": ");
  }
  // Of a key; of the section itself if it does not have it.
  uint32_t LineOfKey(std::string_view key) const;
  // Notes every key that has not been declared. Below calls it; call it for the root.
  void Finish();

 private:
  struct Entry {
    std::string key;
    uint32_t line;
    YAML::Node node;
  };
  void AddEntry(const YAML::Node& key, const YAML::Node& value);
  const Entry* Find(std::string_view key) const;
  const Entry* Declare(std::string_view key);
  std::string PathOf(std::string_view key) const;
  // The scalar text of a declared key; false (and a note) if it is something else or in quotes
  // where that is not allowed.
  bool Scalar(std::string_view key, std::string_view expected, bool quoted_too, std::string* out);
  template <class I>
  bool IntegerOf(std::string_view key, I low, I high, I* out);
  bool ChoiceIndex(std::string_view key, const std::vector<std::string>& names, size_t* index,
                   const std::string& also = "");
  void Found(const Entry& entry, const std::string& found, std::string_view expected,
             const std::string& hint = "");

  bool present_ = false;
  std::string path_;
  uint32_t line_;
  Notebook* notes_;
  std::vector<Entry> entries_;
  std::vector<std::string> declared_;
};

// What a node is, for messages: `"cnn"`, "a list", "nothing".
std::string Describe(const YAML::Node& node);

}  // namespace coxswain::config
