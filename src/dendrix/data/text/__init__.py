"""Text: corpora, labelled sentences, tokenizers, and token sequences."""
