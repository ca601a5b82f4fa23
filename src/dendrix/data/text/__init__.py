"""Text: corpora, labelled sentences, tokenizers, and tokens."""
