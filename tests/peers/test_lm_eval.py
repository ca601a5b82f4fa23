"""lm_eval over the server and in transformers gives the scores of `dendrix lm eval`: `make test-lm-eval`."""

import importlib.util
import os
from pathlib import Path

import pytest

MEASURE = Path(__file__).parents[2] / "benchmarks/lm_eval/measure.py"


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.skipif("LM_EVAL" not in os.environ, reason="needs LM_EVAL, the command lm_eval of an environment with lm_eval[api,hf]")
def test_the_shipped_model_has_the_same_scores_in_every_way() -> None:
    spec = importlib.util.spec_from_file_location("measure", MEASURE)
    measure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(measure)
    found = measure.measured(os.environ["LM_EVAL"])
    served, transformers = found["local-completions"], found["hf"]
    for way in (served, transformers):
        assert way["scores"]["dendrix_harbour"]["bits_per_byte"] == pytest.approx(found["dendrix lm eval"], abs=1e-5)
    for task in ("dendrix_endings", "dendrix_words"):
        assert served["scores"][task] == transformers["scores"][task]
    assert served["words"] == transformers["words"]
