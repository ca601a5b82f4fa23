"""`dendrix export`: a trained network for microcontrollers, browsers, NumPy, and other libraries."""

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from .output import print_json
from .text_export import export_text
from .words_export import export_taught

if TYPE_CHECKING:
    from ..runs.deployment import Ready

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
GoalName = Literal["pareto", "mean-steps", "guarantee"]
RuleName = Literal["max-probability", "margin"]
Form = Literal["step", "sequence"]
Target = Literal["c", "wasm", "arduino", "npz", "run", "nir", "onnx"]
_OPTIONS = {"nir": ("dt_ms", "licence"), "onnx": ("form", "int8")}
_COMMON = ("run", "to", "out", "trust", "json")


def export(
    run: Run,
    to: Target,
    out: Path,
    weights: int = 8,
    finetune: int = 0,
    exit: GoalName | None = None,
    eps: float | None = None,
    delta: float | None = None,
    steps: float | None = None,
    rule: RuleName = "max-probability",
    policy: Path | None = None,
    abstain: float = 0.0,
    clips: int = 10,
    max_flash: str | None = None,
    max_ram: str | None = None,
    agreement: float = 0.99,
    root: Path | None = None,
    dt_ms: float | None = None,
    licence: str | None = None,
    form: Form = "step",
    int8: bool = False,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Export a trained network: in integer arithmetic for devices, with a report of size, speed and agreement, or for other libraries.

    Args:
        run: folder of the run, or the name of a shipped network, such as fsdd; or the file of a vocabulary of taught words,
            for c and wasm.
        to: c: C99 without dependencies. wasm: WebAssembly with an ES module. arduino: a library for Arduino and PlatformIO. npz: NumPy
            arrays. run: a run folder of the integer network, for dendrix evaluate, predict and exits. nir: a NIR graph for other spiking
            libraries and chips. onnx: a model for onnxruntime and others. nir and onnx are compared with the network before they are
            written, with learned delays as whole steps. Language models go to onnx, and with 8-bit weights to c, wasm and npz.
        out: a new folder; for nir and onnx a file.
        weights: bits of a weight, 2 to 8.
        finetune: epochs of training with rounded weights first; it helps at 3 bits and fewer.
        exit: fit an exit rule to the integer network on validation data. pareto: the fastest that loses at most EPS of accuracy.
            mean-steps: the best within a mean of STEPS. guarantee: the fastest whose risk is at most EPS with probability 1 - DELTA.
        eps: accuracy that may be lost (pareto, default 0), or the acceptable risk (guarantee, default 0.01).
        delta: probability with which a guarantee may fail (default 0.1).
        steps: mean steps to spend (mean-steps).
        rule: exit rule to fit, in whole numbers: max-probability, or margin, the lead of the best class over the second best.
        policy: instead of fitting one, an exit policy that was fitted to this integer network.
        abstain: give no answer below this probability.
        clips: number of test vectors; of texts for a language model.
        max_flash: choose the bits for at most so many bytes of flash, such as 32k; --weights is then the most. A language model, which has
            8 bits, is refused where it is larger.
        max_ram: refuse more bytes of RAM.
        agreement: least agreement with the float network, on validation data, that a choice of bits must keep.
        root: data folder, if the data have moved since training.
        dt_ms: nir: time step, in ms, if the layers do not define it.
        licence: nir: licence of the network, for the metadata.
        form: onnx: one step with the state as input and output, or whole sequences.
        int8: onnx: keep weights as 8-bit integers.
        trust: package or Python file of classes that are not part of dendrix or torch.
        json: print JSON.
    """
    given = locals()
    _expect_options(to, given)
    _expect_place(to, out)
    if run.is_file():
        export_taught(given)
        return
    if to != "onnx" and _is_language_model(run):
        export_text(given)
        return
    if to == "nir" or to == "onnx":
        _exchange(run, to, out, dt_ms, licence, form, int8, trust, json)
        return
    from ..runs.deployment import Budget, DeployRun, export_run, fitting, write_export

    goal = _goal(exit, eps=eps, delta=delta, at_most=steps)
    asked = DeployRun(run, weights, finetune, goal, rule, policy, abstain, clips, root, trust)
    if max_flash is None and max_ram is None:
        ready = export_run(asked, to, out)
    else:
        budget = Budget(bytes_of(max_flash, "max_flash"), bytes_of(max_ram, "max_ram"), agreement)
        ready = write_export(fitting(asked, budget, out), to, out)
    if json:
        print_json({"folder": str(out), **asdict(ready.comparison), **asdict(ready.costs)})
        return
    _show(ready)
    print(f"Exported to {out}. {_NEXT[to].format(out)}")


def _is_language_model(run: Path) -> bool:
    from ..pretrained import find_run
    from ..run_folder.checkpoint import holds_language_model

    return holds_language_model(find_run(run))


def _expect_place(to: Target, out: Path) -> None:
    """Check that the file or the folder can be made, before the network is read."""
    from ..core.files import expect_writable
    from ..run_folder.record import expect_new

    (expect_writable if to in _OPTIONS else expect_new)(out)


def _exchange(
    run: Path,
    to: Literal["nir", "onnx"],
    out: Path,
    dt_ms: float | None,
    licence: str | None,
    form: Form,
    int8: bool,
    trust: Any,
    json: bool,
) -> None:
    """Export for other libraries."""
    from ..runs.exchange import export_nir, export_onnx

    if to == "nir":
        facts = export_nir(run, out, dt_ms=dt_ms, licence=licence, trust=trust)
    else:
        facts = export_onnx(run, out, form=form, int8=int8, trust=trust)
    if json:
        print_json({"file": str(out), **facts})
        return
    print(f"Wrote {out}: {', '.join(f'{value:,} {name}' for name, value in facts.items())}.")


def _show(ready: "Ready") -> None:
    """Print the report of an export."""
    table, compared = Table(show_header=False), ready.comparison
    table.add_row("weights", f"{compared.weight_bits} bits")
    table.add_row("agreement with the float network", f"{compared.agreement:.2%} of {compared.inputs} validation inputs")
    table.add_row("accuracy there", f"{compared.accuracy:.2%}, float {compared.float_accuracy:.2%}")
    for name, value in ready.costs.rows():
        table.add_row(name, value)
    Console().print(table)
    if ready.policy is not None:
        print(f"Exit rule: {ready.policy.mean_steps:.1f} steps in the mean. {ready.policy.statement}")


_NEXT = {
    "c": "Next: make -C {} test",
    "wasm": "Next: node {}/selftest.mjs",
    "arduino": "Next: open the example of the library in the Arduino IDE.",
    "npz": "The file README.md describes the arrays.",
    "run": "Next: dendrix evaluate {}",
}


def default_of(option: str) -> Any:
    """Default of an option of `dendrix export`."""
    return inspect.signature(export).parameters[option].default


def _expect_options(to: Target, given: dict[str, Any]) -> None:
    """Refuse options of other targets, which would have no effect."""
    for name in inspect.signature(export).parameters:
        owners = [target for target, names in _OPTIONS.items() if name in names]
        used = name in _COMMON or (to in owners if owners else to not in _OPTIONS)
        if not used and given[name] != default_of(name):
            raise MisuseError(f"--{name.replace('_', '-')}: expected it only with other values of --to, got --to {to}. Leave it out.")


def _goal(name: GoalName | None, **given: Any) -> Any:
    """The goal of this name with the options that were given."""
    values = {option: value for option, value in given.items() if value is not None}
    if name is None:
        if values:
            raise MisuseError("exit: expected a goal with --eps, --delta or --steps, got none. Add --exit pareto, mean-steps or guarantee.")
        return None
    from ..exits import GOALS

    try:
        return GOALS[name](**values)
    except TypeError as error:
        raise MisuseError(f"exit: expected the options of {name}, but {error}. See dendrix export --help.") from error


def bytes_of(text: str | None, name: str) -> int | None:
    """A number of bytes, such as 32k (32,000) or 30000."""
    if text is None:
        return None
    number, factor = (text[:-1], 1000) if text.lower().endswith("k") else (text, 1)
    try:
        return round(float(number) * factor)
    except (ValueError, OverflowError) as error:
        raise MisuseError(f"{name}: expected a number of bytes such as 32k, got '{text}'.") from error
