"""Fuzzing of every reader of outside bytes: `python -m fuzz --help` with this folder's parent and the sources on the path."""
