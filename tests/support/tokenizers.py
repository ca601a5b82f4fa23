"""Small tokenizers of each kind of decoder."""

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from dendrix.data.text.tokenizers import byte_tokenizer, character_tokenizer, learned_tokenizer, piece_tokenizer, word_tokenizer

WORDS = ["hello", "world", "re", "read", "a", "b", "we"]
LETTERS = "abcdehlorw."


def metaspace() -> Tokenizer:
    pieces = ["<unk>", *("▁" + word for word in WORDS), *WORDS, *("▁" + letter for letter in LETTERS), *LETTERS, "▁", "ö"]
    vocabulary = [(piece, -1.0 / (len(piece))) for piece in dict.fromkeys(pieces)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return tokenizer


def wordpiece() -> Tokenizer:
    pieces = ["[UNK]", *WORDS, *("##" + word for word in WORDS), *LETTERS, *("##" + letter for letter in LETTERS)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Whitespace(), decoders.WordPiece(cleanup=False)
    return tokenizer


def llama() -> Tokenizer:
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *LETTERS, "he", "hel", "hell", "hello"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = [("h", "e"), ("he", "l"), ("hel", "l"), ("hell", "o")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(parts)
    return tokenizer


MADE = {
    "metaspace": metaspace(),
    "wordpiece": wordpiece(),
    "word pieces": piece_tokenizer(["hello world we read", *LETTERS], 60),
    "word-level": word_tokenizer([" ".join(WORDS)] * 2, 50),
    "llama": llama(),
    "bytes": byte_tokenizer(),
    "characters": character_tokenizer(LETTERS + " "),
    "byte pairs": learned_tokenizer(["hello world we read"] * 2, 270),
}
