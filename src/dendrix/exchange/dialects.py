"""Dialects: how each library turns the continuous equations of NIR into steps.

All are one step, that of `synapse_step` and `fire`, with other coefficients. Verified against the recorded traces of the NIR paper, or
read in the library's source; docs/howto/nir.md has the table.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..checks import expect_one_of
from ..errors import InputError
from .nodes import SPIKING, Array, Node

Scheme = Literal["euler", "euler-old", "exponential", "exact", "decay-first", "crossing"]
Gain = Literal["nir", "dt/tau", "unit"]
Reset = Literal["hard", "soft"]


@dataclass(frozen=True)
class Coefficients:
    """The numbers of a step for one node, each a scalar or with the shape of the node; those of a synapse are None without one."""

    beta: Array
    q: Array
    c: Array
    alpha: Array | None = None
    g: Array | None = None
    p: Array | None = None
    v_threshold: Array | None = None
    v_reset: Array | None = None
    rho: Array | None = None
    v_min: Array | None = None


@dataclass(frozen=True)
class Dialect:
    """The choices of one library."""

    library: str
    """What it reproduces."""
    scheme: Scheme = "euler"
    """How decays follow from time constants; "euler-old" and "decay-first" also say when the synapse acts."""
    gain: Gain = "nir"
    """Of LIF and LI: r dt / tau or r (1 - decay) by the scheme, dt / tau without r, or 1."""
    cuba_gain: Gain = "nir"
    """Of CubaLIF and CubaLI; "unit" leaves r and w_in out."""
    if_gain: Literal["nir", "dt/tau", "unit", "one"] = "nir"
    """Of IF and I: r dt, or r per step as "unit", or 1 without r."""
    fires: Literal[">", ">=", "floor"] = ">"
    """When and how often a neuron fires in a step."""
    reset: Reset = "hard"
    """What a spike does if the caller does not say."""
    hard_to: Literal["v_reset", "zero"] = "zero"
    """Where a hard reset goes."""
    delayed_reset: bool = False
    """A soft reset acts in the next step, after the decay: it takes threshold / decay."""
    lag: int = 0
    """Steps by which outputs are late."""
    grid: float | None = None
    """Products are truncated to multiples of this."""
    dt_ms: float | None = None
    """The time step of the library, independent of the arguments."""
    adapt: "Callable[[Case], Coefficients] | None" = None
    """Peculiarities: the coefficients of a node that are not those of the equations, or an InputError."""
    feedback_bias: bool = True
    """Whether an Affine in a cycle keeps its bias."""
    lacks: tuple[str, ...] = ()
    """Types of nodes that its import refuses, or leaves out without a word."""


@dataclass(frozen=True)
class Case:
    """A node, and the coefficients that the equations give it."""

    name: str
    node: Node
    found: Coefficients
    dt: float
    """Time step, in s."""
    recurrent: bool
    """Whether the node is in a cycle."""

    def refusal(self, library: str, reason: str) -> InputError:
        """The error where a library cannot express the node."""
        return InputError(
            f"node '{self.name}' ({self.node.type}): expected what {library} can express, but {reason}. Choose another dialect."
        )


def coefficients(
    name: str, node: Node, dt_ms: float, dialect: Dialect, reset: Reset | None = None, recurrent: bool = False, gain: Gain | None = None
) -> Coefficients:
    """The coefficients of a neuron node.

    Args:
        name: name of the node, for errors.
        node: a node of one of the types `NEURONS`.
        dt_ms: time step, in ms.
        dialect: the choices of a library.
        reset: instead of the dialect's.
        recurrent: whether the node is in a cycle.
        gain: instead of the dialect's.
    Raises:
        InputError: the dialect has no such neuron, or a step is longer than a time constant and the Euler decay would be negative.
    """
    dt = (dialect.dt_ms or dt_ms) * 1e-3
    if gain is not None:
        dialect = replace(dialect, gain=gain, cuba_gain=gain, if_gain=gain)
    found = _linear(name, node, dt, dialect)
    if node.type in SPIKING:
        found = _firing(node, found, dialect, reset or dialect.reset)
    return found if dialect.adapt is None else dialect.adapt(Case(name, node, found, dt, recurrent))


def _linear(name: str, node: Node, dt: float, dialect: Dialect) -> Coefficients:
    """What happens below the threshold."""
    params = {param: np.asarray(value, np.float64) for param, value in node.params.items()}
    r = params["r"]
    if node.type in ("I", "IF"):
        q = {"unit": r, "one": np.ones_like(r)}.get(dialect.if_gain, r * dt)
        return Coefficients(np.ones_like(r), q, np.zeros_like(r))
    tau = params["tau_mem"] if "tau_mem" in params else params["tau"]
    beta = _decay(name, node.type, "tau", tau, dt, dialect)
    c = (1 - beta) * params["v_leak"]
    if "tau_syn" not in params:
        return Coefficients(beta, _gain(dialect.gain, r, tau, beta, dt), c)
    alpha = _decay(name, node.type, "tau_syn", params["tau_syn"], dt, dialect)
    w = params["w_in"]
    m = _gain(dialect.cuba_gain, r, tau, beta, dt)
    g = np.ones_like(w) if dialect.cuba_gain == "unit" else w * (1 - alpha)
    if dialect.scheme == "decay-first":
        return Coefficients(beta, m * alpha, c, alpha, alpha, m * alpha)
    if dialect.scheme == "euler-old":
        return Coefficients(beta, np.zeros_like(m), c, alpha, g, m)
    if dialect.scheme == "exact":
        kappa = _kappa(alpha, beta, params["tau_syn"], tau, dt)
        return Coefficients(beta, r * w * (1 - beta - kappa), c, alpha, g, r * kappa)
    return Coefficients(beta, m * g, c, alpha, g, m * alpha)


def _decay(name: str, kind: str, param: str, tau: Array, dt: float, dialect: Dialect) -> Array:
    if dialect.scheme not in ("euler", "euler-old"):
        if (tau < dt * (1 - 1e-9)).any():
            left = float(np.exp(-dt / tau.min()))
            warnings.warn(f"node '{name}' ({kind}): a step is longer than {param}, and leaves {left:.1%} of the state.", stacklevel=2)
        return np.exp(-dt / tau)
    if (tau < dt * (1 - 1e-9)).any():
        raise InputError(
            f"node '{name}' ({kind}): expected a time step below {param}, {tau.min() * 1e3:.4g} ms, got {dt * 1e3:.4g} ms. "
            "Choose a smaller dt_ms, or a dialect that decays exponentially."
        )
    decay = 1 - dt / tau
    return decay if dialect.grid is None else np.trunc(decay * 4096) / 4096


def _gain(gain: Gain, r: Array, tau: Array, decay: Array, dt: float) -> Array:
    if gain == "unit":
        return np.ones_like(r)
    return np.broadcast_to(dt / tau, r.shape) if gain == "dt/tau" else r * (1 - decay)


def _kappa(alpha: Array, beta: Array, tau_syn: Array, tau: Array, dt: float) -> Array:
    """The share of a synaptic current that reaches the membrane within a step, solved exactly."""
    gap = tau_syn - tau
    equal = np.abs(gap) < 1e-9 * tau
    return np.where(equal, beta * dt / tau, tau_syn * (alpha - beta) / np.where(equal, 1, gap))


def _firing(node: Node, found: Coefficients, dialect: Dialect, reset: Reset) -> Coefficients:
    threshold = np.asarray(node.params["v_threshold"], np.float64)
    low = np.asarray(node.params["v_reset"], np.float64)
    if reset == "hard":
        return replace(found, v_threshold=threshold, v_reset=low if dialect.hard_to == "v_reset" else np.zeros_like(low))
    # In continuous time the membrane meets the threshold exactly: to subtract this and to reset are the same.
    rho = threshold - low if dialect.hard_to == "v_reset" else threshold
    return replace(found, v_threshold=threshold, rho=rho / found.beta if dialect.delayed_reset else rho)


def _leaks(node: Node) -> bool:
    return bool(np.any(node.params.get("v_leak", 0)))


def _norse(case: Case) -> Coefficients:
    if case.recurrent:
        raise case.refusal("norse", "with feedback its import puts out values that are no spikes")
    if _leaks(case.node):
        raise case.refusal("norse", "v_leak is not 0, which norse also adds to the synapse")
    return case.found


def _snntorch(case: Case) -> Coefficients:
    node, found = case.node, case.found
    if case.recurrent:
        raise case.refusal("snntorch", "its import sends the input of a recurrent layer through the feedback weights")
    if _leaks(node):
        raise case.refusal("snntorch", "v_leak is not 0")
    if node.type == "IF":
        return replace(_unit_input(found), beta=np.full_like(found.beta, 0.9))
    threshold = found.v_threshold
    if threshold is not None and (threshold != threshold.flat[0]).any():
        raise case.refusal("snntorch", "thresholds differ within the node")
    if node.type == "LIF" and threshold is not None:
        return replace(_unit_input(found), v_threshold=threshold / (node.params["r"] * (1 - found.beta)))
    if node.type == "CubaLIF" and not np.allclose(node.params["r"] * case.dt / node.params["tau_mem"], 1, rtol=1e-3):
        raise case.refusal("snntorch", "r is not tau_mem / dt")
    return found


def _spyx_main(case: Case) -> Coefficients:
    found = case.found
    if found.rho is None or found.v_threshold is None:
        return found
    return replace(found, rho=found.v_threshold if case.node.type == "CubaLIF" else found.v_threshold / found.beta)


def _sinabs(case: Case) -> Coefficients:
    if case.recurrent:
        raise case.refusal("sinabs", "its import runs layers over whole sequences, where feedback has no step")
    if case.node.type == "LI" and not np.allclose(case.node.params["r"], 1):
        raise case.refusal("sinabs", "r is not 1")
    if _leaks(case.node):
        raise case.refusal("sinabs", "v_leak is not 0")
    lowest = None if case.node.type != "IF" or case.found.v_threshold is None else -case.found.v_threshold
    return replace(case.found, v_min=lowest)


def _rockpool(case: Case) -> Coefficients:
    node, found = case.node, replace(case.found, c=np.asarray(case.node.params["v_leak"], np.float64))
    if node.type != "CubaLIF":
        return found
    # Its import guesses the time step from the gain, as its export writes it.
    dt = float(np.min(node.params["tau_mem"] / (1 + node.params["r"])))
    alpha, beta = np.exp(-dt / node.params["tau_syn"]), np.exp(-dt / node.params["tau_mem"])
    return replace(found, beta=beta, q=alpha, alpha=alpha, g=alpha, p=alpha)


def _spikingjelly(case: Case) -> Coefficients:
    node, found = case.node, case.found
    if any(np.ptp(value) for value in node.params.values()):
        raise case.refusal("spikingjelly", "parameters differ within the node")
    if node.type == "IF" and not np.allclose(found.q, 1):
        raise case.refusal("spikingjelly", "r is not 1 / dt")
    if node.type == "LIF" and not (np.allclose(found.q, 1) or np.allclose(node.params["r"], 1)):
        raise case.refusal("spikingjelly", "r is neither 1 nor tau / dt")
    if node.type == "LIF" and not np.allclose(node.params["v_leak"], node.params["v_reset"]):
        raise case.refusal("spikingjelly", "v_leak is not v_reset")
    if found.g is not None and (_leaks(node) or not np.allclose((found.q, found.g), 1)):
        raise case.refusal("spikingjelly", "r is not tau_mem / dt, w_in is not tau_syn / dt or v_leak is not 0")
    return found


def _nengo(case: Case) -> Coefficients:
    return case.found if case.found.v_threshold is None else replace(case.found, v_min=np.zeros_like(case.found.beta))


def _unit_input(found: Coefficients) -> Coefficients:
    return replace(found, q=np.ones_like(found.q))


_RARE = ("I", "LI", "CubaLI", "Delay", "Scale", "Threshold")
_MAPS = ("Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten")
_UNIT: dict[str, Any] = dict(gain="unit", cuba_gain="unit", if_gain="one")
DIALECTS: dict[str, Dialect] = {
    "nir": Dialect("The equations of NIR by Euler's method, the synapse first", hard_to="v_reset"),
    "dendrix": Dialect("Networks that dendrix exported", fires=">=", hard_to="v_reset"),
    "norse": Dialect("norse, import of NIR", gain="dt/tau", if_gain="one", adapt=_norse, lacks=(*_RARE, "Conv1d", "AvgPool2d")),
    "snntorch": Dialect(
        "snnTorch, import of NIR, whose time step is 0.1 ms", dt_ms=0.1, adapt=_snntorch, lacks=(*_RARE, "Conv1d", "SumPool2d")
    ),
    "snntorch-leaky": Dialect("snnTorch's Leaky and Synaptic at their defaults", **_UNIT, reset="soft", delayed_reset=True),
    "sinabs": Dialect(
        "sinabs, time constants in steps",
        "decay-first",
        **_UNIT,
        fires="floor",
        reset="soft",
        adapt=_sinabs,
        lacks=("I", "CubaLI", "CubaLIF", "Linear", "Delay", "Scale", "Threshold", "AvgPool2d"),
    ),
    "spyx": Dialect("spyx as in the NIR paper", gain="dt/tau", if_gain="one", reset="soft", delayed_reset=True, lag=1),
    "spyx-main": Dialect(
        "spyx 1.0",
        **_UNIT,
        reset="soft",
        lag=1,
        adapt=_spyx_main,
        feedback_bias=False,
        lacks=(*_RARE, "Conv1d", "AvgPool2d"),
    ),
    "spikingjelly": Dialect("spikingjelly", fires=">=", hard_to="v_reset", adapt=_spikingjelly, lacks=(*_RARE, "SumPool2d")),
    "rockpool": Dialect(
        "rockpool's LIFTorch",
        "decay-first",
        **_UNIT,
        fires="floor",
        reset="soft",
        adapt=_rockpool,
        lacks=("IF", *_RARE, *_MAPS),
    ),
    "lava": Dialect("lava's floating-point LIF", gain="dt/tau", lag=1),
    "lava-netx": Dialect("lava-dl's NetX on integers: 12-bit decays, voltages in 64ths", **_UNIT, grid=1 / 64, lag=1),
    "nengo": Dialect("nengo, inputs held over a step", "exact", adapt=_nengo),
    "paper": Dialect("The loop printed in the NIR paper, the synapse last", "euler-old", reset="soft"),
    "exact": Dialect("The continuous equations, threshold crossings solved within a step: a reference, not to train", "crossing"),
}
"""Every dialect by its name."""


def find_dialect(name: str) -> Dialect:
    """The dialect of a name.

    Raises:
        InputError: there is none; the error suggests the nearest.
    """
    return DIALECTS[expect_one_of(name, DIALECTS, "dialect")]
