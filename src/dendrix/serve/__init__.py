"""`dendrix serve`: a language model behind an OpenAI-compatible HTTP interface, with all its streams advancing together."""
