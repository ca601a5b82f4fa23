"""`dendrix convert`: conversion of an image network to a spiking network."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from .errors import sentence
from .output import print_json, trust_option

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Steps = Annotated[int, tyro.conf.arg(aliases=("--T",))]
NeuronName = Literal["if", "signed", "qffs"]
MaxPoolName = Literal["refuse", "average", "spiking"]


def convert(
    run: Run,
    steps: Steps = 8,
    neuron: NeuronName = "signed",
    max_pool: MaxPoolName = "refuse",
    calibrate: Literal["layer", "channel"] | None = None,
    quantile: float = 0.999,
    inputs: int = 1000,
    weights: Path | None = None,
    images: Path | None = None,
    side: int = 32,
    out: Path | None = None,
    root: Path | None = None,
    trust: str | None = None,
    json: bool = False,
) -> None:
    """Convert a trained image network to a spiking network, with an audit and a comparison of every layer. The result is a run.

    Args:
        run: folder that `dendrix train` wrote for an image network, or FILE.py:NAME, your function that returns a network, with --weights
            and --images.
        steps: T, the number of time steps for each image.
        neuron: if: integrate-and-fire; signed: negative spikes correct earlier ones, much more accurate at few steps; qffs: signed with at
            most as many spikes as the activation has levels.
        max_pool: treatment of max pooling: refuse it, replace it by average pooling, or pool sums over time (spiking, exact).
        calibrate: for a network of plain ReLUs, measure the threshold of every layer or channel on training images.
        quantile: share of activations below a measured threshold.
        inputs: number of validation images for the comparison, and of training images for calibration.
        weights: state_dict of your own network, a .safetensors file.
        images: for your own network, a folder with one sub-folder of images for each class, in the order of its outputs.
        side: side of these images, in pixels.
        out: folder of the new run, which must not exist; by default the name of the run with -spikes appended.
        root: folder of the training data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
        json: print JSON.
    """
    from ..core.files import direct
    from ..runs.conversion import ConvertRun, convert_run, draw_conversion

    run = run if run.name not in ("", "..") else run.resolve()
    own = ".py" in run.name
    target = (
        direct(out) if out else (Path(f"{Path(run.name).stem.partition('.')[0]}-spikes") if own else run.with_name(f"{run.name}-spikes"))
    )
    asked = ConvertRun(run, steps, neuron, max_pool, calibrate, quantile, inputs, root, weights, images, side, trust)
    record = convert_run(asked, target)
    try:
        draw_conversion(target)
    except ImportError as error:  # missing figures do not make the conversion fail
        print(f"dendrix: no figures were drawn. {sentence(error)}", file=sys.stderr)
    if json:
        print_json({"folder": str(target), **record})
        return
    _show(record["conversion"])
    print(f"Saved in {target}. Next: dendrix exits record {target} --out valid.npz{trust_option(str(run), trust)}")


def _show(found: dict[str, Any]) -> None:
    """Print the audit, the error and firing rate of every layer, and the accuracy by steps."""
    console = Console()
    audit = Table("path", "kind", "action", "threshold", "note", title="Audit", title_justify="left")
    for entry in found["audit"]:
        audit.add_row(entry["path"], entry["kind"], entry["action"], _threshold(entry["threshold"]), entry["note"])
    layers = Table("layer", "relative error", "spikes per neuron and step", title="Layers", title_justify="left")
    for layer in found["layers"]:
        layers.add_row(layer["path"], f"{layer['error']:.1%}", f"{layer['firing_rate']:.3f}")
    console.print(audit, layers)
    shown = [step for step in range(1, found["steps"] + 1) if step in (1, 2, 3, 4, 6, found["steps"]) or step % 8 == 0]
    accuracy = Table("steps", *map(str, shown), "original")
    accuracy.add_row("accuracy", *(f"{found['accuracy'][step - 1]:.1%}" for step in shown), f"{found['original_accuracy']:.1%}")
    console.print(accuracy)
    print(f"On {found['compared_on']['images']} validation images.")


def _threshold(value: float | list[float] | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else f"{min(value):.4g} to {max(value):.4g}"
