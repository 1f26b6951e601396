#include "trainer/text/job_text.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/config/quantities.h"
#include "trainer/blob/data_errors.h"
#include "trainer/blob/text.h"
#include "trainer/text/file_list.h"
#include "trainer/text/learn_tokenizer.h"
#include "trainer/text/open_tokenizer.h"
#include "trainer/text/text_file.h"
#include "trainer/text/token_file.h"

namespace coxswain::trainer::text {
namespace {

using blob::Cat;
using blob::UnderKey;
using Store = std::shared_ptr<const data::TokenStore>;

constexpr char kTrain[] = "spec.data.train.files";
constexpr char kEvaluate[] = "spec.data.evaluate.files";

// Tokens as numbers of as few bytes as will do.
class Packed {
 public:
  explicit Packed(int64_t vocabulary) : width_(vocabulary <= 65536 ? 2 : 4) {}
  void Add(const std::vector<tokenizer::TokenId>& tokens) {
    const size_t at = bytes_.size();
    bytes_.resize(at + tokens.size() * static_cast<size_t>(width_));
    char* to = bytes_.data() + at;
    for (tokenizer::TokenId token : tokens) {
      std::memcpy(to, &token, static_cast<size_t>(width_));  // little-endian
      to += width_;
    }
  }
  uint64_t size() const { return bytes_.size(); }
  data::TokenPart Take(std::string name) {
    const auto count = static_cast<int64_t>(bytes_.size()) / width_;
    bytes_.shrink_to_fit();
    return {std::move(name), std::make_shared<data::HeldBytes>(std::move(bytes_)), 0, count,
            width_};
  }

 private:
  const int width_;
  std::string bytes_;
};

absl::Status TooLarge(uint64_t most) {
  return absl::InvalidArgumentError(
      Cat("spec.data.buffer: the tokens of the text take more than ",
          config::FormatSize(static_cast<int64_t>(most)),
          "; raise it (each rank holds them), or turn the text into tokens beforehand and give "
          "those (spec.data.format: tokens), which are read from where they are"));
}

class TextReader {
 public:
  TextReader(const config::Data& spec, const blob::StoreSettings& settings)
      : spec_(spec), settings_(settings) {}

  absl::StatusOr<Store> Read(const std::vector<std::string>& uris,
                             const tokenizer::Tokenizer& tokenizer, int64_t vocabulary) {
    auto files = FilesOf(uris, settings_);
    if (!files.ok()) return files.status();
    const auto most = static_cast<uint64_t>(spec_.table.buffer_bytes);
    Packed packed(vocabulary);
    auto encoder = tokenizer.MakeEncoder();
    std::vector<tokenizer::TokenId> tokens;
    for (const std::string& file : *files) {
      auto text = ReadTextFile(file, 8 * most, settings_);
      if (absl::IsResourceExhausted(text.status())) return TooLarge(most);
      if (!text.ok()) return text.status();
      tokens.clear();
      if (absl::Status encoded = encoder->Encode(*text, &tokens); !encoded.ok()) {
        return absl::Status(encoded.code(), Cat(file, ": ", encoded.message()));
      }
      if (auto end = tokenizer.end_of_text(); end && spec_.text.end_of_text) {
        tokens.push_back(*end);
      }
      packed.Add(tokens);
      if (packed.size() > most) return TooLarge(most);
    }
    std::vector<data::TokenPart> parts;
    parts.push_back(packed.Take(files->size() == 1 ? files->front() : "the text"));
    return std::make_shared<data::TokenStore>(std::move(parts), vocabulary);
  }

 private:
  const config::Data& spec_;
  const blob::StoreSettings& settings_;
};

absl::StatusOr<Store> OpenTokens(const std::vector<std::string>& uris, int64_t vocabulary,
                                 uint32_t width, const blob::StoreSettings& settings) {
  auto files = FilesOf(uris, settings);
  if (!files.ok()) return files.status();
  std::vector<data::TokenPart> parts;
  for (const std::string& file : *files) {
    auto part = OpenTokenFile(file, width, settings);
    if (!part.ok()) return part.status();
    parts.push_back(*std::move(part));
  }
  return std::make_shared<data::TokenStore>(std::move(parts), vocabulary);
}

absl::Status TooFew(std::string_view key, int64_t tokens) {
  return absl::InvalidArgumentError(
      Cat(key, ": found ", tokens, tokens == 1 ? " token" : " tokens",
          ", expected at least 2: one to begin with and one to predict"));
}

// Where the part for evaluation begins.
int64_t CutOf(const config::Data& spec, int64_t tokens) {
  const double kept = spec.table.evaluate_fraction * static_cast<double>(tokens);
  return tokens - static_cast<int64_t>(std::llround(kept));
}

data::TokenSettings SettingsOf(const config::Data& spec, int64_t end_of_text) {
  return {spec.text.sequence_length, static_cast<uint64_t>(spec.table.buffer_bytes), end_of_text};
}

// `evaluate` null: no files of its own.
absl::Status Divide(const config::Data& spec, const Store& train, const Store& evaluate,
                    JobText* out) {
  const data::TokenSettings settings = SettingsOf(spec, out->end_of_text);
  const int64_t cut = CutOf(spec, train->size());
  if (cut < 2) return TooFew(kTrain, cut);
  out->train = std::make_unique<data::TokenDataset>(train, 0, cut, settings);
  const bool tail = spec.table.evaluate_fraction > 0;
  if (!tail && evaluate == nullptr) return absl::OkStatus();
  const Store& store = tail ? train : evaluate;
  const int64_t begin = tail ? cut : 0;
  if (store->size() - begin < 2) {
    return TooFew(tail ? "spec.data.evaluate.fraction" : kEvaluate, store->size() - begin);
  }
  out->evaluate = std::make_unique<data::TokenDataset>(store, begin, store->size(), settings);
  return absl::OkStatus();
}

// Where it is learnt, the number that was asked for: the model's size is known beforehand.
int64_t VocabularyOf(const config::Data& spec, const tokenizer::Tokenizer* tokenizer) {
  if (spec.text.tokenizer == config::TokenizerKind::kLearn) return spec.text.learnt_vocabulary;
  return tokenizer != nullptr ? tokenizer->vocabulary() : spec.text.vocabulary;
}

}  // namespace

absl::StatusOr<JobText> ReadJobText(const config::Data& spec, const blob::StoreSettings& settings) {
  const bool tokens = spec.format == "tokens";
  auto tokenizer = spec.text.tokenizer == config::TokenizerKind::kLearn
                       ? LearnTokenizer(spec, settings)
                       : OpenTokenizer(spec, settings);
  if (!tokenizer.ok()) return tokenizer.status();
  JobText out;
  if (*tokenizer != nullptr) {
    out.tokenizer_json = (*tokenizer)->Json();
    if (auto end = (*tokenizer)->end_of_text()) out.end_of_text = *end;
  }
  const int64_t vocabulary = VocabularyOf(spec, tokenizer->get());
  auto read = [&](const char* key, const std::vector<std::string>& files) -> absl::StatusOr<Store> {
    auto store = tokens ? OpenTokens(files, vocabulary, spec.text.token_bytes, settings)
                        : TextReader(spec, settings).Read(files, **tokenizer, vocabulary);
    if (store.ok() || blob::Std(store.status().message()).starts_with("spec.")) return store;
    return UnderKey(key, store.status());
  };
  auto train = read(kTrain, spec.table.files);
  if (!train.ok()) return train.status();
  Store evaluate;
  if (!spec.table.evaluate_files.empty()) {
    auto files = read(kEvaluate, spec.table.evaluate_files);
    if (!files.ok()) return files.status();
    evaluate = *std::move(files);
  }
  absl::Status divided = Divide(spec, *train, evaluate, &out);
  if (!divided.ok()) return divided;
  return out;
}

absl::StatusOr<TextSummary> CheckJobText(const config::Data& spec,
                                         const blob::StoreSettings& settings) {
  auto tokenizer = OpenTokenizer(spec, settings);
  if (!tokenizer.ok()) return tokenizer.status();
  TextSummary out;
  out.vocabulary = VocabularyOf(spec, tokenizer->get());
  if (spec.format == "tokens") {
    auto read = ReadJobText(spec, settings);  // sizes and headers alone
    if (!read.ok()) return read.status();
    out.samples = read->train->size();
    if (read->evaluate != nullptr) out.evaluate_samples = read->evaluate->size();
    return out;
  }
  for (const auto& [key, uris] :
       {std::pair(kTrain, &spec.table.files), std::pair(kEvaluate, &spec.table.evaluate_files)}) {
    auto files = FilesOf(*uris, settings);
    if (!files.ok()) return UnderKey(key, files.status());
    for (const std::string& file : *files) {
      auto object = blob::OpenObject(file, settings);
      if (!object.ok()) return UnderKey(key, object.status());
      auto size = object->store->Size(object->name);
      if (!size.ok()) return UnderKey(key, size.status());
      if (*size == 0) {
        return absl::InvalidArgumentError(
            Cat(key, ": ", file, ": the file is empty; leave it out"));
      }
    }
  }
  return out;
}

}  // namespace coxswain::trainer::text
