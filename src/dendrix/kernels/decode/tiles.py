"""Sums of weights over many inputs for a tile of outputs, kept in vector registers: the inner loops of the products.

Of a loop over arrays, LLVM makes code that loads and stores all sums for every input, and the processor reads ahead no further than a page.
Here, sums stay in registers and weights are read in advance. The vectors are those of LLVM's language, which it maps to the registers of
any processor. Accesses are not checked; `product_loops` checks their ends.
"""

from functools import cache
from itertools import chain
from typing import Any

from llvmlite import ir
from numba.core import cgutils, registry, types
from numba.extending import intrinsic

_numba: Any = cgutils  # has no types
_FLOAT, _BYTE, _SHORT, _INT, _INDEX = ir.FloatType(), ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_LANES, _SHORT_LANES = 16, 32
"""Numbers per vector of float32, and of int16."""
_LINE = 64
"""Bytes that the processor reads at once."""
_AHEAD = 8192
"""Bytes between the weights in use and those read in advance: more than a page of 4 KiB, at whose end the processor's own reading stops."""
AHEAD = 16
"""The same in active inputs, whose places the processor cannot foresee."""
WORD = 64
"""Numbers that are compared at once."""


@cache
def sizes() -> dict[str, int]:
    """Return the outputs of tiles, whose sums fit the registers: `wide` ones for one row, `narrow` ones for one or `several` rows.

    A block of a packed matrix has a multiple of 64 outputs, and so a multiple of the narrow ones.
    """
    *_, features = registry.cpu_target.target_context.codegen().magic_tuple()
    many = "+avx512f" in features
    outputs = (256, 64, 512) if many else (64, 16, 128)
    return dict(wide=outputs[0], narrow=outputs[1], several=4, wide_of_spikes=outputs[2], narrow_of_spikes=64)


@cache
def all_inputs(kind: str, rows: int, outputs: int) -> Any:
    """Return a function that adds x times the weights of the next `count` inputs to the sums of one or several rows.

    Its arguments are x, its first element and elements per row; the weights, their first element and elements per input; the number of
    inputs; the float32 sums, their first element and elements per row.
    """

    def tile(_: Any, x: Any, x_at: Any, x_width: Any, weights: Any, at: Any, width: Any, count: Any, sums: Any, to: Any, apart: Any) -> Any:
        def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
            x, x_at, x_width, weights, at, width, count, sums, to, apart = _arguments(context, b, signature, args)
            inputs = [b.gep(x, [b.add(x_at, b.mul(x_width, _index(r)))]) for r in range(rows)]
            kept = [_Sums(b, b.gep(sums, [b.add(to, b.mul(apart, _index(r)))]), outputs) for r in range(rows)]
            with _numba.for_range(b, count) as loop:
                row = b.gep(weights, [b.add(at, b.mul(loop.index, width))])
                _read(b, row, _AHEAD, outputs)
                factors = [_splat(b, b.load(b.gep(each, [loop.index]))) for each in inputs]
                for i in range(outputs // _LANES):
                    weight = _as_float(b, _load(b, row, i, _LANES), kind)
                    for factor, own in zip(factors, kept, strict=True):
                        own.add(i, factor, weight)
            for own in kept:
                own.store()
            return context.get_dummy_value()

        return types.void(x, x_at, x_width, weights, at, width, count, sums, to, apart), emit

    return _named(tile, f"all_{kind}_{rows}_{outputs}")


@cache
def active_inputs(kind: str, outputs: int) -> Any:
    """Return a function that adds x times the weights of `count` active inputs to the sums of one row.

    Its arguments are x and its first element; the indices of the active inputs, the first in use, and their number; the weights, the first
    of input 0 and elements per input; the float32 sums and their first element.
    """

    def tile(_: Any, x: Any, x_at: Any, active: Any, first: Any, count: Any, weights: Any, at: Any, width: Any, sums: Any, to: Any) -> Any:
        def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
            x, x_at, active, first, count, weights, at, width, sums, to = _arguments(context, b, signature, args)
            last = b.sub(count, _index(1))

            def place(k: Any) -> tuple[Any, Any]:
                i = b.sext(b.load(b.gep(active, [b.add(first, k)])), _INDEX)
                return i, b.gep(weights, [b.add(at, b.mul(i, width))])

            kept = _Sums(b, b.gep(sums, [to]), outputs)
            with _numba.for_range(b, count) as loop:
                later = b.add(loop.index, _index(AHEAD))
                _read(b, place(b.select(b.icmp_signed("<", later, last), later, last))[1], 0, outputs)
                i, row = place(loop.index)
                factor = _splat(b, b.load(b.gep(x, [b.add(x_at, i)])))
                for j in range(len(kept.parts)):
                    kept.add(j, factor, _as_float(b, _load(b, row, j, _LANES), kind))
            kept.store()
            return context.get_dummy_value()

        return types.void(x, x_at, active, first, count, weights, at, width, sums, to), emit

    return _named(tile, f"active_{kind}_{outputs}")


@cache
def spikes(outputs: int) -> Any:
    """Return a function that adds int8 weights at `count` places, at most 256 because the sums of so many fit 16 bits, to int32 sums.

    Its arguments are the places, the first in use, and their number; the weights plus 128, as bits, and how far behind the places the tile
    begins; the sums and their first element. It reads AHEAD more places.
    """

    def tile(_: Any, places: Any, first: Any, count: Any, weights: Any, behind: Any, sums: Any, to: Any) -> Any:
        def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
            places, first, count, weights, behind, sums, to = _arguments(context, b, signature, args)
            weights = b.gep(weights, [behind])
            kept = _WholeSums(b, b.gep(sums, [to]), outputs)
            with _numba.for_range(b, count) as loop:
                k = b.add(first, loop.index)
                _read(b, b.gep(weights, [b.load(b.gep(places, [b.add(k, _index(AHEAD))]))]), 0, outputs)
                kept.add(b.gep(weights, [b.load(b.gep(places, [k]))]))
            kept.store(count)
            return context.get_dummy_value()

        return types.void(places, first, count, weights, behind, sums, to), emit

    return _named(tile, f"spikes_{outputs}")


def _bits_above(_: Any, x: Any, first: Any, sign: Any, level: Any) -> Any:
    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        x, first, sign, level = _arguments(context, b, signature, args)
        sign, level, place = _splat(b, sign, WORD), _splat(b, level, WORD), b.gep(x, [first])
        return b.bitcast(b.fcmp_ordered(">", b.fmul(_load(b, place, 0, WORD), sign), level), _INDEX)

    return types.int64(x, first, types.float32, types.float32), emit


def _lowest_bit(_: Any, bits: Any) -> Any:
    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(bits), emit


def _read_ahead(_: Any, array: Any, first: Any, count: Any) -> Any:
    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        array, first, count = _arguments(context, b, signature, args)
        per_line = _index(_LINE // _bytes(array.type.pointee))
        lines = b.sdiv(b.add(count, b.sub(per_line, _index(1))), per_line)
        with _numba.for_range(b, lines) as loop:
            _read(b, b.gep(array, [b.add(first, b.mul(loop.index, per_line))]), 0, 1)
        return context.get_dummy_value()

    return types.void(array, first, count), emit


class _Sums:
    """Float32 sums of a tile in registers."""

    def __init__(self, b: Any, place: Any, outputs: int):
        self.b, self.place = b, place
        # LLVM turns variables on the stack into registers.
        self.parts = [_numba.alloca_once(b, ir.VectorType(_FLOAT, _LANES)) for _ in range(outputs // _LANES)]
        for i, part in enumerate(self.parts):
            b.store(_load(b, place, i, _LANES), part)

    def add(self, i: int, factor: Any, weight: Any) -> None:
        """Add products to vector number i."""
        b, part = self.b, self.parts[i]
        b.store(_fma(b, factor, weight, b.load(part)), part)

    def store(self) -> None:
        """Write the sums to their array."""
        for i, part in enumerate(self.parts):
            _store(self.b, self.b.load(part), self.place, i)


class _WholeSums:
    """Sums of int8 weights plus 128 in registers, in 16 bits without a sign, which are added to an array of int32 in the end.

    Two weights, of an even and of an odd output, are one number of 16 bits. Its sum is that of the even weights and 256 times that of the
    odd ones, which are also summed on their own: three instructions for 64 weights.
    """

    def __init__(self, b: Any, place: Any, outputs: int):
        self.b, self.place = b, place
        self.type = ir.VectorType(_SHORT, _SHORT_LANES)
        self.eight = ir.Constant(self.type, [8] * _SHORT_LANES)
        self.pairs = [[_numba.alloca_once(b, self.type) for _ in "bo"] for _ in range(outputs // (2 * _SHORT_LANES))]
        for part in chain(*self.pairs):
            b.store(ir.Constant(self.type, [0] * _SHORT_LANES), part)

    def add(self, row: Any) -> None:
        """Add a row of weights."""
        b = self.b
        for i, (both, odd) in enumerate(self.pairs):
            weights = b.bitcast(_load(b, row, i, 2 * _SHORT_LANES), self.type)
            b.store(b.add(b.load(both), weights), both)
            b.store(b.add(b.load(odd), b.lshr(weights, self.eight)), odd)

    def store(self, count: Any) -> None:
        """Add the sums, of `count` weights each, to their array."""
        b, lanes = self.b, 2 * _SHORT_LANES
        order = ir.Constant(ir.VectorType(_INT, lanes), [i // 2 + i % 2 * _SHORT_LANES for i in range(lanes)])
        extra = _splat(b, b.trunc(b.mul(count, _index(128)), _INT), lanes)
        for i, (both, odd) in enumerate(self.pairs):
            even = b.sub(b.load(both), b.shl(b.load(odd), self.eight))
            sums = b.sub(b.zext(b.shuffle_vector(even, b.load(odd), order), ir.VectorType(_INT, lanes)), extra)
            _store(b, b.add(_load(b, self.place, i, lanes), sums), self.place, i)


def _named(tile: Any, name: str) -> Any:
    tile.__name__ = tile.__qualname__ = name
    return intrinsic(tile)


bits_above = _named(_bits_above, "bits_above")
"""Which of 64 numbers, times a sign, are above a level, as the bits of an int64, the first number's lowest: (x, first, sign, level)."""
lowest_bit = _named(_lowest_bit, "lowest_bit")
"""Number of the lowest bit that is set, of an int64 that is not 0."""
read_ahead = _named(_read_ahead, "read_ahead")
"""Let the processor read `count` numbers of an array into its cache, from a first one on; there need not be any: (array, first, count)."""


def _arguments(context: Any, b: Any, signature: Any, args: Any) -> list[Any]:
    """Pointers to the first elements of arrays; whole numbers as they are."""
    for kind in signature.args:
        if isinstance(kind, types.Array) and kind.layout != "C":
            raise TypeError(f"expected contiguous arrays, got {kind}.")  # a slice of columns
    given = zip(signature.args, args, strict=True)
    return [context.make_array(kind)(context, b, value).data if isinstance(kind, types.Array) else value for kind, value in given]


def _index(value: int) -> Any:
    return ir.Constant(_INDEX, value)


def _load(b: Any, place: Any, i: int, lanes: int) -> Any:
    """Load vector number i behind a place."""
    kind = place.type.pointee
    return b.load(b.bitcast(b.gep(place, [_index(i * lanes)]), ir.VectorType(kind, lanes).as_pointer()), align=_bytes(kind))


def _store(b: Any, value: Any, place: Any, i: int) -> None:
    """Store a vector as number i behind a place."""
    to = b.gep(place, [_index(i * value.type.count)])
    b.store(value, b.bitcast(to, value.type.as_pointer()), align=4)


def _bytes(kind: Any) -> int:
    return 4 if kind == _FLOAT else int(kind.width) // 8


def _fma(b: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z with one rounding. A permission to fuse would leave it to LLVM, which could round each copy of a loop in its own way."""
    function = ir.FunctionType(x.type, [x.type] * 3)
    return b.call(_numba.get_or_insert_function(b.module, function, f"llvm.fma.v{_LANES}f32"), [x, y, z])


def _splat(b: Any, value: Any, lanes: int = _LANES) -> Any:
    """A vector of equal numbers."""
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = b.insert_element(undefined, value, ir.Constant(_INT, 0))
    return b.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT, lanes), [0] * lanes))


def _as_float(b: Any, weight: Any, kind: str) -> Any:
    floats = ir.VectorType(_FLOAT, _LANES)
    if kind == "bfloat16":
        bits = b.zext(weight, ir.VectorType(_INT, _LANES))
        return b.bitcast(b.shl(bits, ir.Constant(bits.type, [16] * _LANES)), floats)
    return b.sitofp(weight, floats) if kind == "int8" else weight


def _read(b: Any, row: Any, ahead: int, outputs: int) -> None:
    """Let the processor read the weights `ahead` bytes behind a row into its cache. There need not be any."""
    size, row = outputs * _bytes(row.type.pointee), b.bitcast(row, _BYTE.as_pointer())
    function = ir.FunctionType(ir.VoidType(), [row.type, _INT, _INT, _INT])
    prefetch = b.module.declare_intrinsic("llvm.prefetch", [row.type], function)
    for byte in range(0, size, _LINE):
        b.call(prefetch, [b.gep(row, [_index(ahead + byte)]), *(ir.Constant(_INT, value) for value in (0, 3, 1))])
