#include "trainer/text/learn_tokenizer.h"

#include "trainer/blob/text.h"
#include "trainer/engine/tokenizer/bpe_trainer.h"
#include "trainer/engine/tokenizer/tokenizer_file.h"
#include "trainer/text/file_list.h"
#include "trainer/text/text_file.h"

namespace coxswain::trainer::text {

absl::StatusOr<std::unique_ptr<tokenizer::Tokenizer>> LearnTokenizer(
    const config::Data& spec, const blob::StoreSettings& settings) {
  const auto under = [](const absl::Status& status, const std::string& file) {
    return absl::Status(status.code(),
                        blob::Cat("spec.data.train.files: ", file, status.message()));
  };
  auto files = FilesOf(spec.table.files, settings);
  if (!files.ok()) return under(files.status(), "");
  tokenizer::BpeTrainer trainer;
  for (const std::string& file : *files) {
    const auto most = static_cast<uint64_t>(spec.table.buffer_bytes);
    auto text = ReadTextFile(file, 8 * most, settings);
    if (!text.ok()) return under(text.status(), "");
    if (absl::Status read = trainer.Read(*text); !read.ok()) return under(read, file + ": ");
  }
  return tokenizer::ReadTokenizerFile(tokenizer::WriteTokenizerFile(trainer.Learn(
                                          spec.text.learnt_vocabulary, spec.text.end_of_text)),
                                      "");
}

}  // namespace coxswain::trainer::text
