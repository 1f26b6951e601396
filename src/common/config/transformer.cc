#include "common/config/transformer.h"

namespace coxswain::config {

Transformer ResolvedTransformer(const Model& model, int64_t sequence, int64_t vocabulary) {
  Transformer out = model.transformer;
  const bool llama = model.recipe == Recipe::kLlama;
  if (out.kv_heads == 0 || !llama) out.kv_heads = out.heads;
  if (out.context == 0) out.context = sequence;
  if (out.vocabulary == 0) out.vocabulary = vocabulary;
  if (out.feed_forward == 0) {
    out.feed_forward = llama ? (out.width * 8 / 3 + 255) / 256 * 256 : 4 * out.width;
  }
  if (out.norm_epsilon == 0) out.norm_epsilon = llama ? 1e-6 : 1e-5;
  if (!llama) out.tied = true;
  return out;
}

std::string WrongTransformer(const Model& model, const TextShape& data) {
  const Transformer& t = model.transformer;
  const auto text = [](int64_t number) { return std::to_string(number); };
  if (t.width % t.heads != 0) {
    return "spec.model.heads: found " + text(t.heads) + ", expected a divisor of the width, " +
           text(t.width) + " (spec.model.width)";
  }
  if (model.recipe == Recipe::kLlama) {
    if (t.kv_heads > 0 && t.heads % t.kv_heads != 0) {
      return "spec.model.kv_heads: found " + text(t.kv_heads) + ", expected a divisor of " +
             text(t.heads) + ", the number of heads (spec.model.heads)";
    }
    if (t.width / t.heads % 2 != 0) {
      return "spec.model.heads: found " + text(t.heads) + " for a width of " + text(t.width) +
             ", expected heads of an even width: they are turned in pairs";
    }
  }
  if (t.context > 0 && data.sequence > t.context) {
    return "spec.data.sequence_length: found " + text(data.sequence) + ", expected at most " +
           text(t.context) + ", what the model can see (spec.model.context)";
  }
  if (t.vocabulary > 0 && data.vocabulary > t.vocabulary) {
    return "spec.model.vocabulary: found " + text(t.vocabulary) + ", expected at least " +
           text(data.vocabulary) + ", the tokens of the data";
  }
  return "";
}

}  // namespace coxswain::config
