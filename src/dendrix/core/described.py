"""Base class of modules that report their constructor arguments and have a short `repr`."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

_BARE = ("size", "in_features", "out_features")
"""Arguments that `repr` shows without their names."""
_ALWAYS = ("dt_ms", "v_threshold", "v_reset", "max_delay_ms", "granularity", "threshold", "levels", "bits", "step", "p")
"""Arguments that `repr` shows even at their defaults, as it does for time constants (`tau...`)."""


class Described(nn.Module):
    """Base class of layers and activations: a module that reports its constructor arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._exact: dict[str, float | tuple[float, ...]] = {}

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments from which an equal module can be built.

        `type(m)(**m.arguments())`, converted to the same dtype, has the same outputs after `load_state_dict(m.state_dict())`. Positional
        arguments `*modules` are returned as a list under the key `"*"`.

        Returns:
            plain JSON values, frozen dataclasses, child modules, or tuples, lists and dicts of these.
        Raises:
            NotImplementedError: the class does not define this method.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define arguments(). Return the constructor arguments from it.")

    def learned(self) -> dict[str, Any]:
        """Return the current values of trained arguments, which `repr` shows instead of the initial ones."""
        return {}

    def register_exact(self, name: str, value: float | tuple[float, ...], size: int | None = None, train: bool = False) -> None:
        """Register a buffer or parameter and keep its initial value in full precision.

        As long as the tensor has its initial value, conversion from float32 to float64 restores the exact value, without the rounding
        error of float32.

        Args:
            name: name of the buffer or parameter.
            value: a number, or one per element.
            size: number of elements, [C]; None for a scalar, [].
            train: register a parameter instead of a buffer.
        """
        self._exact[name] = value
        start = torch.tensor(value, dtype=torch.get_default_dtype()).expand([] if size is None else [size]).clone()
        if train:
            self.register_parameter(name, nn.Parameter(start))
        else:
            self.register_buffer(name, start)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        before = {name: getattr(self, name).detach() for name in self._exact}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, old in before.items():
            new, value = getattr(self, name), self._exact[name]
            if (old.dtype, new.dtype) == (torch.float32, torch.float64) and _holds(old, value):
                with torch.no_grad():
                    new.copy_(torch.tensor(value, dtype=new.dtype))
        return self

    def extra_repr(self) -> str:
        try:
            shown = self.arguments() | self.learned()
        except NotImplementedError:
            return ""
        parameters = inspect.signature(type(self)).parameters
        texts = {name: _text(value) for name, value in shown.items() if name != "*" and not isinstance(value, nn.Module)}
        return ", ".join(
            text if name in _BARE else f"{name}={text}"
            for name, text in texts.items()
            if name in _ALWAYS or name.startswith("tau") or name not in parameters or text != _text(parameters[name].default)
        )


def _holds(tensor: Tensor, value: float | tuple[float, ...]) -> bool:
    """Return whether a tensor equals a value rounded to its dtype; False for tensor subclasses and meta tensors."""
    if type(tensor) is not Tensor or tensor.is_meta or (isinstance(value, tuple) and len(value) not in (1, tensor.numel())):
        return False
    return torch.equal(tensor, torch.tensor(value, dtype=tensor.dtype, device=tensor.device).expand_as(tensor))


def _text(value: Any) -> str:
    """Return a value on one line: the range of several numbers, or the fields of a dataclass that differ from their defaults."""
    if isinstance(value, Tensor):
        value = ["meta"] if value.is_meta else value.detach().flatten().tolist()
    if isinstance(value, list | tuple) and value and all(isinstance(part, int | float) for part in value):
        low, high = _text(min(value)), _text(max(value))
        return low if low == high else f"{low}..{high}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if is_dataclass(value) and not isinstance(value, type):
        parts = [(field.name, getattr(value, field.name)) for field in fields(value) if getattr(value, field.name) != field.default]
        return f"{type(value).__name__}({', '.join(f'{name}={part!r}' for name, part in parts)})"
    return getattr(value, "__name__", None) or repr(value)
