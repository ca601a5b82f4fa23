"""The shipped model `novels` under lm_eval, over HTTP and in transformers, beside `dendrix lm eval`.

    python benchmarks/lm_eval/measure.py LM_EVAL --out benchmarks/lm-eval.json

LM_EVAL is the command `lm_eval` of an environment with `lm_eval[api,hf]`, which need not have dendrix: transformers reads the model by the
code in its folder.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dendrix.core.files import write_json
from dendrix.models.spikegpt.hf_files import load_network, save_language_model

TASKS = ("dendrix_harbour", "dendrix_endings", "dendrix_words")
PREFIX = 10
"""Token before a text: a line end, as the byte vocabulary has no token for the beginning."""
_HERE = Path(__file__).parent


def measured(lm_eval: str, run: str = "novels") -> dict[str, Any]:
    """Return the scores of a model in all ways.

    Args:
        lm_eval: path of the command.
        run: run folder or name of a shipped model.
    """
    found: dict[str, Any] = {"model": run, "tasks": list(TASKS), "prefix_token": PREFIX}
    command = [sys.executable, "-m", "dendrix", "lm", "eval", run, "harbour.txt", "--prefix-token", str(PREFIX), "--json"]
    scores = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    found["dendrix lm eval"] = next(iter(scores.values()))["bits_per_byte"]
    with served(run) as address:
        model = f"base_url={address}/completions,model={Path(run).name},custom_prefix_token_id={PREFIX},max_length=4096"
        found["local-completions"] = _evaluated(lm_eval, "local-completions", model, 8)
    with tempfile.TemporaryDirectory() as folder:
        save_language_model(Path(folder), *load_network(run))
        model = f"pretrained={folder},trust_remote_code=True,prefix_token_id={PREFIX},max_length=4096,dtype=float32"
        found["hf"] = _evaluated(lm_eval, "hf", model, 4)
    return found


@contextmanager
def served(run: str) -> Iterator[str]:
    """Serve a model on a free port; yields the address."""
    command = [sys.executable, "-m", "dendrix", "serve", run, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            said = server.stdout.readline()
            address = re.search(r"http://\S+/v1", said)
            assert address is not None, said
            yield address[0]
        finally:
            server.terminate()


def _evaluated(lm_eval: str, kind: str, model: str, batch: int) -> dict[str, Any]:
    """Run lm_eval; returns the metrics of each task, the generated words, and the versions."""
    with tempfile.TemporaryDirectory() as folder:
        command = [lm_eval, "run", "--model", kind, "--model_args", model, "--tasks", ",".join(TASKS), "--include_path", str(_HERE)]
        command += ["--batch_size", str(batch), "--output_path", folder, "--log_samples", "--device", "cpu"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": folder}
        done = subprocess.run(command, env=environment | offline, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"lm_eval: expected results for {kind}, got an error.\n{done.stderr[-3000:]}")
        (results,) = Path(folder).glob("**/results_*.json")
        report = json.loads(results.read_text())
        (samples,) = Path(folder).glob("**/samples_dendrix_words_*.jsonl")
        words = [json.loads(line)["filtered_resps"][0] for line in samples.read_text().splitlines()]
    scores = {task: {name.partition(",")[0]: value for name, value in report["results"][task].items() if "," in name} for task in TASKS}
    return {"scores": scores, "words": words, "lm_eval": report["lm_eval_version"], "transformers": report["transformers_version"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lm_eval", help="path of the command lm_eval")
    parser.add_argument("--out", type=Path, help="JSON file to write; by default the result is printed")
    options = parser.parse_args()
    result = measured(options.lm_eval)
    if options.out is None:
        print(json.dumps(result, indent=2))
    else:
        write_json(options.out, result)
