"""The table of the page on lm_eval is the stored result."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/lm-eval.md").read_text()
FOUND = json.loads((ROOT / "benchmarks/lm-eval.json").read_text())
WAYS = [FOUND["local-completions"], FOUND["hf"]]


@pytest.mark.parametrize(
    ("task", "metric", "shown"),
    [("endings", "acc", "accuracy"), ("endings", "acc_norm", "accuracy, by length"), ("words", "exact_match", "exact match")],
)
def test_scores_of_tasks(task: str, metric: str, shown: str) -> None:
    over_http, in_transformers = (f"{way['scores'][f'dendrix_{task}'][metric]:.4f}" for way in WAYS)
    assert f"| `dendrix_{task}` | {shown} | | {over_http} | {in_transformers} |" in PAGE


def test_bits_per_byte_are_the_same_in_every_way() -> None:
    numbers = [FOUND["dendrix lm eval"], *(way["scores"]["dendrix_harbour"]["bits_per_byte"] for way in WAYS)]
    assert "| bits per byte | " + " | ".join(f"{number:.6f}" for number in numbers) + " |" in PAGE
    assert max(numbers) - min(numbers) < 3e-7
    assert WAYS[0]["words"] == WAYS[1]["words"]
