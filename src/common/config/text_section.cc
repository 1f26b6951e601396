#include "common/config/text_section.h"

#include <string>

#include "common/config/data_section.h"

namespace coxswain::config {
namespace {

constexpr int64_t kLongestSequence = 1 << 20;
constexpr int64_t kMostTokens = 16'777'216;  // of a vocabulary

void ReadTokenizerSection(Section& in, bool tokens, TextData* out) {
  bool learn = false;
  ReadUri(in, "file", true, &out->tokenizer_file);
  in.Choice<bool>("train", {{"bpe", true}}, &learn);
  in.Integer("vocabulary", int64_t{257}, int64_t{1'000'000}, &out->learnt_vocabulary);
  if (!in.present()) return;
  if (in.Has("file") == in.Has("train") || (tokens && !in.Has("file"))) {
    in.Wrong(in.Has("train") ? "train" : "file",
             tokens ? "expected the tokenizer.json that the tokens were made with"
                    : "expected either 'file', a tokenizer.json, or 'train: bpe'");
  }
  if (learn) in.Require("vocabulary", "how many tokens to learn, such as 4096");
  if (in.Has("vocabulary") && !in.Has("train")) {
    in.Wrong("vocabulary", "belongs to 'train: bpe'; a tokenizer.json has its own");
  }
  if (learn) out->tokenizer = TokenizerKind::kLearn;
  if (in.Has("file")) out->tokenizer = TokenizerKind::kFile;
}

// bytes, or a section.
void ReadTokenizer(Section& in, bool tokens, TextData* out) {
  if (!in.Has("tokenizer") || in.IsSection("tokenizer")) {
    in.Below("tokenizer", [&](Section& below) { ReadTokenizerSection(below, tokens, out); });
    return;
  }
  in.Choice<TokenizerKind>("tokenizer", {{"bytes", TokenizerKind::kBytes}}, &out->tokenizer);
  if (tokens) in.Wrong("tokenizer", "found bytes, but the data is tokens already");
}

}  // namespace

void ReadText(Section& in, const Data& data, TextData* out) {
  const bool tokens = data.format == "tokens";
  if (data.IsText()) in.Require("sequence_length", "tokens of a sample, such as 256");
  in.Integer("sequence_length", int64_t{1}, kLongestSequence, &out->sequence_length);
  ReadTokenizer(in, tokens, out);
  in.Bool("end_of_text", &out->end_of_text);
  if (in.Integer("vocabulary", int64_t{2}, kMostTokens, &out->vocabulary) && in.Has("tokenizer")) {
    in.Wrong("vocabulary", "cannot stand beside 'tokenizer', whose file has it");
  }
  if (tokens && !in.Has("tokenizer")) {
    in.Require("vocabulary", "a number that all tokens are below, such as 50257 (or 'tokenizer')");
  }
  in.Choice<uint32_t>("token_type", {{"uint16", 2u}, {"uint32", 4u}}, &out->token_bytes);
}

}  // namespace coxswain::config
