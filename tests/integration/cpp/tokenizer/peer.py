"""peer.py TOKENIZER_JSON TEXT OUT: what the real `tokenizers` library makes of a text, as 32-bit numbers.
With a fourth argument, OUT is instead a BPE that the library learns from TEXT with so many tokens."""
import struct
import sys

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

LLAMA_3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def learn(kind, text, vocabulary, out):
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=kind == "gpt2-prefix", use_regex=kind != "llama3")
    split = pre_tokenizers.Split(Regex(LLAMA_3), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, gpt2]) if kind == "llama3" else gpt2
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train([text], trainer)
    tokenizer.add_tokens(["[more]", "<|end"])
    tokenizer.save(out)


def encode(file, text, out):
    with open(text, encoding="utf-8", newline="") as source:
        ids = Tokenizer.from_file(file).encode(source.read(), add_special_tokens=False).ids
    with open(out, "wb") as result:
        result.write(struct.pack(f"<{len(ids)}I", *ids))


if len(sys.argv) == 5:
    learn(sys.argv[1], sys.argv[2], int(sys.argv[4]), sys.argv[3])
else:
    encode(*sys.argv[1:])
