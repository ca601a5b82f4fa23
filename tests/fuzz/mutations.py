"""Damaged versions of good inputs, drawn by hypothesis: bytes that change, go, come twice or claim much; and JSON with odd values."""

import copy
import json
import struct
from typing import Any

from hypothesis import strategies as st

NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1)
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        10**3,
        10**6,
        10**10,
        10**18,
        10**30,
        -(10**10),
        0.5,
        1e308,
        -1e308,
        1e-300,
        float("nan"),
        float("inf"),
    ),
    *("", "x", "a" * 5000, "\0", "\ud800", "../..", [], [[]], {}, {"x": 1}, [0], [-1], [10**10], [None], ["a", "a"], [[[[]]]]),
)
"""Values that no field expects."""


def damaged(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """One of the seeds after one to four changes."""
    place = st.floats(0, 1, exclude_max=True)
    change = st.one_of(
        st.tuples(st.just("set"), place, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("number"), place, st.tuples(st.sampled_from(NUMBERS), st.sampled_from("<>"), st.sampled_from("BHIQ"))),
        st.tuples(st.just("cut"), place, st.integers(1, 64)),
        st.tuples(st.just("insert"), place, st.binary(min_size=1, max_size=32)),
        st.tuples(st.just("repeat"), place, st.integers(1, 64)),
        st.tuples(st.just("end"), place, st.just(0)),
        st.tuples(st.just("swap"), place, place),
    )
    return st.tuples(st.sampled_from(seeds), st.lists(change, min_size=1, max_size=4)).map(lambda drawn: _changed(*drawn))


def _changed(content: bytes, changes: list[tuple[str, float, Any]]) -> bytes:
    for kind, share, value in changes:
        # Squared: headers are at the start, and most of what can break is in them.
        at = int(share * share * len(content))
        if kind == "set":
            content = content[:at] + value + content[at + len(value) :]
        elif kind == "number":
            number, order, size = value
            coded = struct.pack(order + size, number & (1 << 8 * struct.calcsize(size)) - 1)
            content = content[:at] + coded + content[at + len(coded) :]
        elif kind == "cut":
            content = content[:at] + content[at + value :]
        elif kind == "insert":
            content = content[:at] + value + content[at:]
        elif kind == "repeat":
            content = content[: at + value] + content[at:]
        elif kind == "end":
            content = content[: int(share * len(content))]
        else:
            other = int(value * len(content))
            content = content[:at] + content[other : other + 16] + content[at + 16 :]
    return content


def odd_json(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """One of the JSON texts with one to three values replaced, removed, renamed or nested."""
    edit = st.tuples(
        st.sampled_from(("set", "set", "set", "remove", "rename", "wrap")), st.floats(0, 1, exclude_max=True), st.sampled_from(ODD)
    )
    return st.tuples(st.sampled_from(seeds), st.lists(edit, min_size=1, max_size=3)).map(lambda drawn: _edited(*drawn))


def _edited(content: bytes, edits: list[tuple[str, float, Any]]) -> bytes:
    value: Any = {"root": json.loads(content)}
    for kind, share, new in edits:
        places = list(_places(value))
        holder, key = places[int(share * len(places))]
        if kind == "set":
            holder[key] = copy.deepcopy(new)
        elif kind == "wrap":
            holder[key] = [holder[key]]
        elif kind == "rename" and isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        elif holder is not value:
            del holder[key]
    return json.dumps(value.get("root", value.get("rootx"))).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Any:
    """Every container with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
