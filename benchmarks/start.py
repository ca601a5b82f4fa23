"""Processor time of first commands: with an empty cache of compiled loops, and in a new clone of the same machine.

    python benchmarks/start.py benchmarks/start.json LABEL CHECKOUT [PATH ...]

Each command runs in a process of its own, on a copy of the checkout's source without compiled files; the second run has another copy. The
results are added to the JSON file under the label.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PATHS = {
    "predict": "predict fsdd 7_george_0.wav",
    "exits run": "exits run fsdd 7_george_0.wav",
    "energy": "energy fsdd",
    "lm generate": "lm generate novels It --max-new-tokens 100",
    "train": "train digits-delays --budget.epochs 1 --no-report --out {out}",
}
CODE = """
import json, sys, time
start = time.process_time()
import numba.core.event as events
from dendrix.compiled import watched_compilation
from dendrix.cli import main
class Timer(events.Listener):
    depth, seconds = 0, 0.0
    def on_start(self, event):
        self.depth += 1
        if self.depth == 1:
            self.begin = time.process_time()
    def on_end(self, event):
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.process_time() - self.begin
timer, loops = Timer(), []
events.register("numba:compile", timer)
with watched_compilation(loops.append):
    assert main(sys.argv[2:]) == 0
found = {"loops": len(loops), "compile_seconds": round(timer.seconds, 2), "cpu_seconds": round(time.process_time() - start, 2)}
open(sys.argv[1], "w").write(json.dumps(found))
"""


def measure(words: str, source: Path, home: Path, name: str) -> dict[str, float]:
    """Run a command on a fresh copy of the source; returns what it compiled, and its processor time."""
    clone = home / name
    shutil.copytree(source, clone / "dendrix", ignore=shutil.ignore_patterns("__pycache__"))
    command = words.format(out=home / f"run-{name}").split()
    kept = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "DENDRIX_CACHE")}
    environment = {**kept, "PYTHONPATH": str(clone), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", CODE, str(home / "found.json"), *command], env=environment, check=True, stdout=sys.stderr)
    found: dict[str, float] = json.loads((home / "found.json").read_text())
    return found


def main() -> None:
    """Measure the paths that the command line names, all by default."""
    out, label, checkout, *names = sys.argv[1:]
    results = json.loads(Path(out).read_text()) if Path(out).exists() else {}
    for name in names or PATHS:
        with tempfile.TemporaryDirectory() as home:
            source = Path(checkout, "src", "dendrix").resolve()
            runs = {key: measure(PATHS[name], source, Path(home), key.replace(" ", "-")) for key in ("empty cache", "new clone")}
        results.setdefault(name, {"command": f"dendrix {PATHS[name]}"})[label] = runs
        Path(out).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
