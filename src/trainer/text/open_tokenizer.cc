#include "trainer/text/open_tokenizer.h"

#include "trainer/blob/text.h"
#include "trainer/engine/tokenizer/byte_tokenizer.h"
#include "trainer/engine/tokenizer/tokenizer_file.h"
#include "trainer/text/text_file.h"

namespace coxswain::trainer::text {
namespace {

constexpr uint64_t kLargestFile = 1 << 30;

}  // namespace

absl::StatusOr<std::unique_ptr<tokenizer::Tokenizer>> OpenTokenizer(
    const config::Data& spec, const blob::StoreSettings& settings) {
  const config::TextData& text = spec.text;
  if (text.tokenizer == config::TokenizerKind::kFile) {
    const auto under = [](const absl::Status& status, const std::string& file) {
      return absl::Status(status.code(),
                          blob::Cat("spec.data.tokenizer.file: ", file, status.message()));
    };
    auto json = ReadTextFile(text.tokenizer_file, kLargestFile, settings);
    if (!json.ok()) return under(json.status(), "");
    auto read = tokenizer::ReadTokenizerFile(*std::move(json), "");
    if (!read.ok()) return under(read.status(), text.tokenizer_file + ": ");
    return read;
  }
  if (spec.format == "tokens") return std::unique_ptr<tokenizer::Tokenizer>();
  return tokenizer::MakeByteTokenizer(text.end_of_text);
}

}  // namespace coxswain::trainer::text
