"""Run a delay network in another library: a script that needs numpy and that library, and nothing of dendrix.

    python deploy_worker.py FOLDER snntorch | brian2

FOLDER/network.npz holds the layers, numbered from 0: weight [out, in] and delay [out, in] (steps), bias, decay and threshold [out]; all
layers but the last fire at their threshold and return to 0. FOLDER/input.npy is the input [T, C]. Each line on standard input asks for
one run; the answer is a line of JSON with its seconds, the spikes of each neuron of the last hidden layer and the sums of the outputs.
"""

import importlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Layer = dict[str, Any]
Answer = tuple[float, Any, Any]
"""Seconds, spikes of each neuron of the last hidden layer, and the sums of the outputs."""


def layers_of(folder: Path) -> list[Layer]:
    """The layers in the order of their numbers."""
    with np.load(folder / "network.npz") as file:
        count = len({name.split(".")[0] for name in file})
        return [{name.split(".")[1]: file[name] for name in file if name.startswith(f"{number}.")} for number in range(count)]


def snntorch(layers: list[Layer], x: Any, _: Path) -> Callable[[], Answer]:
    """A loop over steps as its tutorials have it. Delays are a history of each layer's inputs times one matrix, [delay * in, out]."""
    torch, leaky = importlib.import_module("torch"), importlib.import_module("snntorch").Leaky
    torch.set_num_threads(1)
    inputs, stages = torch.from_numpy(x).float(), []
    for number, layer in enumerate(layers):
        out, channels = layer["weight"].shape
        taps = int(layer["delay"].max()) + 1
        kernel = np.zeros((taps, channels, out), np.float32)
        kernel[layer["delay"].T, np.arange(channels)[:, None], np.arange(out)] = layer["weight"].T
        beta, bias, threshold = (torch.from_numpy(layer[name]).float() for name in ("decay", "bias", "threshold"))
        reset = dict(reset_mechanism="none") if number == len(layers) - 1 else dict(reset_mechanism="zero", reset_delay=False)
        neuron = leaky(beta=beta, threshold=threshold, **reset)
        stages.append((torch.from_numpy(kernel).reshape(taps * channels, out), bias, neuron, taps, channels))

    def run() -> Answer:
        with torch.no_grad():
            histories = [torch.zeros(taps, channels) for *_, taps, channels in stages]
            membranes = [neuron.init_leaky() for _, _, neuron, _, _ in stages]
            spikes, sums = torch.zeros(stages[-2][0].shape[1]), torch.zeros(stages[-1][0].shape[1])
            began = time.perf_counter()
            for y in inputs:
                for i, (kernel, bias, neuron, taps, _) in enumerate(stages):
                    histories[i] = torch.cat([y[None], histories[i][: taps - 1]])
                    y, membranes[i] = neuron(histories[i].flatten() @ kernel + bias, membranes[i])
                    if i == len(stages) - 2:
                        spikes += y
                sums += membranes[-1]
            return time.perf_counter() - began, spikes.numpy(), sums.numpy()

    return run


def brian2(layers: list[Layer], x: Any, folder: Path) -> Callable[[], Answer]:
    """Compiled once as C++ without Python. Seconds are those of its own clock, which leaves out starting the program.

    A spike takes one step from layer to layer, so outputs come as many steps later as there are layers.
    """
    brian = importlib.import_module("brian2")
    ms, place = brian.ms, str(folder / "brian2")
    brian.set_device("cpp_standalone", build_on_run=False, directory=place)
    brian.defaultclock.dt = 1 * ms
    steps, cells = np.nonzero(x)
    network = brian.Network(source := brian.SpikeGeneratorGroup(x.shape[1], cells, steps * ms))
    groups: list[Any] = []
    for number, layer in enumerate(layers):
        out, channels = layer["weight"].shape
        fires = {} if number == len(layers) - 1 else dict(threshold="v >= theta", reset="v = 0; fired += 1")
        equations = "v : 1\nI : 1\ntotal : 1\nfired : 1\ndecay : 1 (constant)\nbias : 1 (constant)\ntheta : 1 (constant)"
        group = brian.NeuronGroup(out, equations, **fires)
        group.run_regularly("v = v * decay + I + bias\nI = 0\ntotal += v")
        group.decay, group.bias, group.theta = layer["decay"], layer["bias"], layer["threshold"]
        synapses = brian.Synapses(groups[-1] if groups else source, group, "w : 1", on_pre="I_post += w")
        to, start = np.meshgrid(np.arange(out), np.arange(channels), indexing="ij")
        synapses.connect(i=start.ravel(), j=to.ravel())
        synapses.w, synapses.delay = layer["weight"].ravel(), layer["delay"].ravel() * ms
        groups.append(group)
        network.add(group, synapses)
    network.run((len(x) + len(layers)) * ms)
    brian.device.build(directory=place, compile=True, run=False)

    def run() -> Answer:
        brian.device.run(directory=place, with_output=False, run_args=[])
        return float(brian.device._last_run_time), np.array(groups[-2].fired), np.array(groups[-1].total)

    return run


LIBRARIES: dict[str, Callable[[list[Layer], Any, Path], Callable[[], Answer]]] = {"snntorch": snntorch, "brian2": brian2}


def main() -> None:
    """Answer the lines of standard input."""
    if len(sys.argv) == 1:
        print(json.dumps(versions()))
        return
    folder, library = Path(sys.argv[1]), sys.argv[2]
    run = LIBRARIES[library](layers_of(folder), np.load(folder / "input.npy"), folder)
    for _ in sys.stdin:
        seconds, spikes, sums = run()
        print(json.dumps(dict(seconds=seconds, spikes=np.asarray(spikes).tolist(), sums=np.asarray(sums).tolist())), flush=True)


def versions() -> dict[str, str]:
    """Versions of the libraries that are installed here."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
