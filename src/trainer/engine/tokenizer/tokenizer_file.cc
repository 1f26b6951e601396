#include "trainer/engine/tokenizer/tokenizer_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "trainer/engine/tokenizer/bpe_tokenizer.h"
#include "trainer/engine/tokenizer/byte_alphabet.h"

namespace coxswain::trainer::tokenizer {
namespace {

using Json = nlohmann::json;  // looks keys up fast: vocabularies are large

constexpr size_t kMostTokens = 16'777'216;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

std::string Short(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

bool IsNothing(const Json& in, const char* key) {
  auto found = in.find(key);
  return found == in.end() || found->is_null() || (found->is_boolean() && !found->get<bool>()) ||
         (found->is_string() && found->get_ref<const std::string&>().empty());
}

std::string TextOf(const Json& in, const char* key) {
  auto found = in.is_object() ? in.find(key) : in.end();
  return found != in.end() && found->is_string() ? found->get<std::string>() : "";
}

bool Truth(const Json& in, const char* key, bool otherwise) {
  auto found = in.is_object() ? in.find(key) : in.end();
  return found != in.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

bool IsId(const Json& value) { return value.is_number_unsigned() && value < kMostTokens; }

class Reader {
 public:
  Reader(const Json& file, BpeSettings* out) : file_(file), out_(out) {}

  absl::Status Read() {
    if (!IsNothing(file_, "normalizer")) {
      return Wrong("found the normalizer " + Short(file_["normalizer"]) +
                   ", expected none: texts are taken as they are");
    }
    auto model = file_.find("model");
    if (model == file_.end() || !model->is_object()) return Wrong("it has no \"model\"");
    if (absl::Status status = ReadModel(*model); !status.ok()) return status;
    if (absl::Status status = ReadAdded(); !status.ok()) return status;
    auto words = file_.find("pre_tokenizer");
    bool byte_level = false;
    if (words != file_.end() && !words->is_null()) {
      if (absl::Status status = ReadWords(*words, &byte_level); !status.ok()) return status;
    }
    if (byte_level) return absl::OkStatus();
    return Wrong(
        "its pre_tokenizer is not ByteLevel, nor ends with it; expected a byte-level BPE, "
        "such as GPT-2's or Llama 3's");
  }

 private:
  absl::Status ReadModel(const Json& model) {
    if (TextOf(model, "type") != "BPE") {
      return Wrong("found a model of type \"" + TextOf(model, "type") + "\", expected \"BPE\"");
    }
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                            "fuse_unk", "byte_fallback"}) {
      if (!IsNothing(model, key)) {
        return Wrong("its model has " + std::string(key) + " " + Short(model[key]) +
                     ", expected none");
      }
    }
    out_->whole_words = Truth(model, "ignore_merges", false);
    auto vocabulary = model.find("vocab"), merges = model.find("merges");
    if (vocabulary == model.end() || !vocabulary->is_object() || merges == model.end() ||
        !merges->is_array()) {
      return Wrong("its model has no \"vocab\" or no \"merges\"");
    }
    for (const auto& [spelling, id] : vocabulary->items()) {
      if (!IsId(id)) return Wrong("the token \"" + spelling + "\" has the id " + Short(id));
      out_->least_vocabulary = std::max(out_->least_vocabulary, id.get<int64_t>() + 1);
      ids_[spelling] = id.get<TokenId>();
      // What cannot be spelled in bytes can be no word: it is an added token's, or never used.
      if (auto bytes = BytesOfSpelling(spelling)) {
        out_->vocabulary.emplace_back(*std::move(bytes), id.get<TokenId>());
      }
    }
    for (const Json& merge : *merges) {
      if (absl::Status status = ReadMerge(merge); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // "a b", or since tokenizers 0.20 ["a", "b"].
  absl::Status ReadMerge(const Json& merge) {
    std::string left, right;
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      size_t space = text.find(' ');
      left = text.substr(0, space);
      right = space == std::string::npos ? "" : text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    auto a = ids_.find(left), b = ids_.find(right);
    if (a == ids_.end() || b == ids_.end()) {
      return Wrong("the merge " + Short(merge) + " is not of two tokens of its vocabulary");
    }
    out_->merges.emplace_back(a->second, b->second);
    return absl::OkStatus();
  }

  absl::Status ReadAdded() {
    auto list = file_.find("added_tokens");
    if (list == file_.end() || !list->is_array()) return absl::OkStatus();
    for (const Json& each : *list) {
      AddedToken token;
      token.content = TextOf(each, "content");
      if (!each.is_object() || !each.contains("id") || !IsId(each["id"]) || token.content.empty()) {
        return Wrong("the added token " + Short(each) + " has no id or no content");
      }
      for (const char* key : {"single_word", "lstrip", "rstrip"}) {
        if (Truth(each, key, false)) {
          return Wrong("the added token \"" + token.content + "\" has " + key +
                       ", which is not supported");
        }
      }
      token.id = each["id"].get<TokenId>();
      token.special = Truth(each, "special", false);
      token.normalized = Truth(each, "normalized", !token.special);
      out_->added.push_back(std::move(token));
    }
    return absl::OkStatus();
  }

  absl::Status AddSplitter(const std::string& pattern) {
    auto splitter = Splitter::Make(pattern);
    if (!splitter.ok()) return splitter.status();
    out_->splitters.push_back(*std::move(splitter));
    return absl::OkStatus();
  }

  // `byte_level`: whether the last one read was of that kind.
  absl::Status ReadWords(const Json& words, bool* byte_level) {
    const std::string type = TextOf(words, "type");
    if (*byte_level) return Wrong("its pre_tokenizer has " + type + " after ByteLevel");
    if (type == "Sequence") {
      auto list = words.find("pretokenizers");
      if (list == words.end() || !list->is_array()) return Wrong("its pre_tokenizer is empty");
      for (const Json& each : *list) {
        if (absl::Status status = ReadWords(each, byte_level); !status.ok()) return status;
      }
      return absl::OkStatus();
    }
    if (type == "ByteLevel") {
      *byte_level = true;
      out_->space_first = Truth(words, "add_prefix_space", true);
      if (Truth(words, "use_regex", true)) return AddSplitter(kGpt2Pattern);
      out_->splitters.push_back(nullptr);
      return absl::OkStatus();
    }
    if (type == "Digits") {
      return AddSplitter(Truth(words, "individual_digits", false) ? "\\p{N}" : "\\p{N}+");
    }
    const auto pattern = words.is_object() ? words.find("pattern") : words.end();
    const bool isolated = TextOf(words, "behavior") == "Isolated" && !Truth(words, "invert", false);
    if (type != "Split" || pattern == words.end() || TextOf(*pattern, "Regex").empty() ||
        !isolated) {
      return Wrong("found the pre_tokenizer " + Short(words) +
                   ", expected ByteLevel, Digits, or Split by a Regex with the behavior Isolated");
    }
    return AddSplitter(TextOf(*pattern, "Regex"));
  }

  const Json& file_;
  BpeSettings* const out_;
  std::unordered_map<std::string, TokenId> ids_;  // by spelling
};

std::string EndOfText(const std::vector<AddedToken>& added) {
  for (const char* name : {kEndOfTextName, "<|end_of_text|>", "</s>"}) {
    for (const AddedToken& token : added) {
      if (token.content == name) return name;
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTokenizerFile(std::string text,
                                                             const std::string& end_of_text) {
  const Json file = Json::parse(text, nullptr, false);
  if (!file.is_object()) return Wrong("not a tokenizer.json: no JSON object");
  BpeSettings settings;
  if (absl::Status status = Reader(file, &settings).Read(); !status.ok()) return status;
  settings.end_of_text = end_of_text.empty() ? EndOfText(settings.added) : end_of_text;
  settings.json = std::move(text);
  const bool known = end_of_text.empty() ||
                     std::any_of(settings.added.begin(), settings.added.end(),
                                 [&](const AddedToken& t) { return t.content == end_of_text; });
  if (!known) return Wrong("it has no added token \"" + end_of_text + "\"");
  return MakeBpeTokenizer(std::move(settings));
}

std::string WriteTokenizerFile(const TokenizerFile& file) {
  Json vocabulary = Json::object(), merges = Json::array(), added = Json::array();
  for (size_t id = 0; id < file.tokens.size(); ++id) vocabulary[SpellBytes(file.tokens[id])] = id;
  for (auto [left, right] : file.merges) {
    merges.push_back({SpellBytes(file.tokens[left]), SpellBytes(file.tokens[right])});
  }
  for (const AddedToken& token : file.added) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  Json byte_level = {{"type", "ByteLevel"},
                     {"add_prefix_space", false},
                     {"trim_offsets", true},
                     {"use_regex", file.gpt2_words}};
  Json out;
  out["version"] = "1.0";
  out["truncation"] = nullptr;
  out["padding"] = nullptr;
  out["added_tokens"] = added;
  out["normalizer"] = nullptr;
  out["pre_tokenizer"] = byte_level;
  out["post_processor"] = nullptr;
  out["decoder"] = byte_level;
  out["model"] = {{"type", "BPE"},
                  {"dropout", nullptr},
                  {"unk_token", nullptr},
                  {"continuing_subword_prefix", nullptr},
                  {"end_of_word_suffix", nullptr},
                  {"fuse_unk", false},
                  {"byte_fallback", false},
                  {"ignore_merges", false},
                  {"vocab", vocabulary},
                  {"merges", merges}};
  return out.dump(1) + "\n";
}

}  // namespace coxswain::trainer::tokenizer
