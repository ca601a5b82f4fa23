"""Run NIR files in another library: a script that needs numpy, nir and the library, and nothing of dendrix.

    python nir_worker.py FOLDER LIBRARY LIMIT

FOLDER/cases.json lists the files, each with its time step in s, the name of its input, [B, T, ...], and the one library that it is for,
or "". The outputs of case number N, [B, T, ...], are written to FOLDER/LIBRARY-N.npy, and after each case what happened so far to
FOLDER/LIBRARY.json. A case that takes more than LIMIT seconds counts as unfinished. Without arguments: print the installed libraries.
"""

import importlib
import importlib.metadata
import json
import logging
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[str, float, Any], Any]
PACKAGES = {"lava": "lava-nc", "nirtorch-dendrix": "nirtorch"}
"""Names of packages that are not those of their libraries."""


def read(path: str) -> Any:
    """The graph of a file as the package reads it, without its own check of types, which takes the channels of a group for all."""
    return importlib.import_module("nir").read(path, type_check=False)


def stepped(network: Any, x: Any) -> Any:
    """The outputs of a network of torch that takes a step and its state."""
    torch = importlib.import_module("torch")
    state, outputs = None, []
    with torch.no_grad():
        for t in range(x.shape[1]):
            found = network(torch.from_numpy(x[:, t]).float(), state)
            y, state = found if isinstance(found, tuple) else (found, None)
            outputs.append(y)
    return torch.stack(outputs, 1).numpy()


def nirtorch(path: str, _dt: float, x: Any) -> Any:
    """With the maps that nirtorch has itself."""
    return stepped(importlib.import_module("nirtorch").nir_to_torch(read(path), {}), x)


def nirtorch_dendrix(path: str, dt: float, x: Any) -> Any:
    """With the maps of dendrix."""
    maps = importlib.import_module("dendrix.exchange.nirtorch_maps")
    return stepped(importlib.import_module("nirtorch").nir_to_torch(path, maps.node_map(dt * 1e3, "dendrix")), x)


def norse(path: str, dt: float, x: Any) -> Any:
    return stepped(importlib.import_module("norse.torch").from_nir(read(path), ignore_warnings=True, dt=dt), x)


def snntorch(path: str, _dt: float, x: Any) -> Any:
    return stepped(importlib.import_module("snntorch.import_nir").import_from_nir(read(path)), x)


def spikingjelly(path: str, dt: float, x: Any) -> Any:
    return stepped(importlib.import_module("spikingjelly.activation_based.nir_exchange").import_from_nir(read(path), dt=dt), x)


def sinabs(path: str, dt: float, x: Any) -> Any:
    """With time constants in steps and parameters of torch, as sinabs takes them."""
    torch = importlib.import_module("torch")
    graph = read(path)
    for node in graph.nodes.values():
        if hasattr(node, "tau"):
            node.tau = node.tau / dt
        if type(node).__name__ in ("IF", "LIF", "LI", "Conv1d"):
            for name, value in vars(node).items():
                setattr(node, name, torch.as_tensor(value).float() if isinstance(value, np.ndarray) else value)
    network = importlib.import_module("sinabs.nir").from_nir(graph, batch_size=len(x))
    with torch.no_grad():
        found = network(torch.from_numpy(x).float().flatten(0, 1))
    y = found[0] if isinstance(found, tuple) else found
    return y.reshape(*x.shape[:2], *y.shape[1:]).numpy()


def rockpool(path: str, _dt: float, x: Any) -> Any:
    torch = importlib.import_module("torch")
    with torch.no_grad():
        return importlib.import_module("rockpool.nn.modules").from_nir(read(path))(torch.from_numpy(x).float())[0].numpy()


def spyx(path: str, dt: float, x: Any) -> Any:
    """With time, then batch, and the channels of maps last."""
    given = x.swapaxes(0, 1)
    given = np.moveaxis(given, 2, -1) if given.ndim == 5 else given
    _, y = importlib.import_module("spyx.nir").from_nir(read(path), importlib.import_module("jax.numpy").asarray(given), dt=dt)
    return np.asarray(y).swapaxes(0, 1)


def _row(path: str, wanted: tuple[str, ...]) -> tuple[Any, Any, Any]:
    """Weights, bias and neurons of a graph of these two: what a library without an import can be built of."""
    found = [node for node in read(path).nodes.values() if type(node).__name__ not in ("Input", "Output")]
    nodes = {type(node).__name__: node for node in found}
    kinds = list(nodes)
    if len(found) != 2 or not {"Affine", "Linear"} & set(kinds) or not set(wanted) & set(kinds):
        raise NotImplementedError(f"no import of NIR; built by hand are weights with {' or '.join(wanted)}")
    before, node = (next(nodes[kind] for kind in names if kind in nodes) for names in (("Affine", "Linear"), wanted))
    weight = np.asarray(before.weight, np.float64)
    bias = np.asarray(before.bias, np.float64) if hasattr(before, "bias") else np.zeros(len(weight))
    return weight, bias, node


def nengo(path: str, dt: float, x: Any) -> Any:
    """Neurons of nengo with the parameters of the node: nengo has no import of NIR."""
    library = importlib.import_module("nengo")
    weight, bias, node = _row(path, ("LIF",))
    gain = node.r / node.v_threshold
    rows = []
    for row in x:
        with library.Network() as network:
            source = library.Node(lambda t, row=row: row[min(round(t / dt), len(row)) - 1])
            kind = library.LIF(tau_rc=float(node.tau.flat[0]), tau_ref=0.0, initial_state={"voltage": library.dists.Choice([0])})
            neurons = library.Ensemble(len(weight), 1, neuron_type=kind, gain=np.ones(len(weight)), bias=gain * bias).neurons
            library.Connection(source, neurons, transform=gain[:, None] * weight, synapse=None)
            probe = library.Probe(neurons, "spikes" if hasattr(neurons, "spikes") else "output")
        with library.Simulator(network, dt=dt, progress_bar=False, optimize=False) as simulator:
            simulator.run_steps(len(row), progress_bar=False)
        rows.append(simulator.data[probe] * dt)
    return np.rint(np.stack(rows))


def lava(path: str, dt: float, x: Any) -> Any:
    """The floating-point LIF process of lava with the parameters of the node: lava has no import of NIR."""
    weight, bias, node = _row(path, ("CubaLIF", "LIF"))
    process = importlib.import_module("lava.proc.lif.process").LIF
    dense = importlib.import_module("lava.proc.dense.process").Dense
    io = importlib.import_module("lava.proc.io.source").RingBuffer, importlib.import_module("lava.proc.io.sink").RingBuffer
    settings = importlib.import_module("lava.magma.core.run_configs").Loihi1SimCfg(select_tag="floating_pt")
    steps = importlib.import_module("lava.magma.core.run_conditions").RunSteps(num_steps=x.shape[1])
    cuba = hasattr(node, "tau_syn")
    du, dv = (float((dt / node.tau_syn).flat[0]) if cuba else 1.0), float((dt / (node.tau_mem if cuba else node.tau)).flat[0])
    # lava adds the whole current to the membrane, so that the gain of both stages stands in the weights.
    gain = (node.w_in * du * node.r if cuba else 1.0) * dv
    rows = []
    for row in x:
        # The weights act here, and pass an identity: Dense takes spikes a step later, and a source of numbers has no weights.
        source, through = (
            io[0](data=(row @ weight.T + bias).T * np.reshape(gain, (-1, 1))),
            dense(weights=np.eye(len(weight)), num_message_bits=24),
        )
        neurons = process(shape=(len(weight),), du=du, dv=dv, vth=float(node.v_threshold.flat[0]), bias_mant=0)
        sink = io[1](shape=(len(weight),), buffer=x.shape[1])
        source.s_out.connect(through.s_in)
        through.a_out.connect(neurons.a_in)
        neurons.s_out.connect(sink.a_in)
        neurons.run(condition=steps, run_cfg=settings)
        rows.append(np.asarray(sink.data.get()).T)
        neurons.stop()
    return np.stack(rows)


LIBRARIES: dict[str, Run] = {
    "nirtorch": nirtorch,
    "nirtorch-dendrix": nirtorch_dendrix,
    "norse": norse,
    "snntorch": snntorch,
    "spikingjelly": spikingjelly,
    "sinabs": sinabs,
    "rockpool": rockpool,
    "spyx": spyx,
    "nengo": nengo,
    "lava": lava,
}


def version(name: str) -> str:
    """The version of a library."""
    return importlib.metadata.version(PACKAGES.get(name, name))


class OutOfTime(BaseException):
    """A case took too long; no Exception, which libraries catch."""


def _stop(_signal: int, _frame: Any) -> None:
    raise OutOfTime


def main(name: str, folder: Path, limit: int) -> None:
    """Run all cases in one library."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    told: dict[str, Any] = {}
    for number, case in enumerate(json.loads((folder / "cases.json").read_text())):
        if case["library"] in ("", name):
            told[case["name"]] = _ran(name, folder, case, number, limit)
            (folder / f"{name}.json").write_text(json.dumps(told))


def _ran(name: str, folder: Path, case: dict[str, Any], number: int, limit: int) -> dict[str, Any]:
    """What happened to a case."""
    begun = time.perf_counter()
    if hasattr(signal, "alarm"):  # not on Windows, where only the whole library has a limit
        signal.signal(signal.SIGALRM, _stop)
        signal.alarm(limit)
    try:
        y = np.asarray(LIBRARIES[name](str(folder / case["file"]), case["dt"], np.load(folder / case["input"])))
    except OutOfTime:
        return {"unfinished": limit}
    except Exception as error:  # whatever a library raises about a file is the result
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    finally:
        if hasattr(signal, "alarm"):
            signal.alarm(0)
    np.save(folder / f"{name}-{number}.npy", y)
    return {"output": f"{name}-{number}.npy", "seconds": round(time.perf_counter() - begun, 3)}


def installed() -> dict[str, str]:
    """Versions of the libraries of this environment."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    del sys.path[0]  # this folder, whose modules have names of libraries
    if len(sys.argv) == 1:
        print(json.dumps(installed()))
    else:
        main(sys.argv[2], Path(sys.argv[1]), int(sys.argv[3]))
