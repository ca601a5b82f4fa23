"""Tables of taught words and of their network as one file that the engine for WebAssembly loads, see `image`."""

from typing import Any

from .front_end import Member
from .image import Image, add_network, description, structure_of
from .words import DeployedWords, packed_bits
from .words_layout import members, row_bytes


def words_image(made: DeployedWords) -> bytes:
    """The tables. The description says at which offsets codes and weights lie."""
    found = Image()
    network = Member("model", "uint32_t", add_network(found, made.deployed))
    start = found.add(structure_of(found, [network, *members(made)]))
    background = made.background
    about: dict[str, Any] = {
        **description(made.deployed),
        "code_bits": made.n,
        "active": made.active,
        "bins": made.bins,
        "tail": made.tail,
        "memory": made.memory,
        "row_bytes": row_bytes(made),
        "rates": [one._asdict() for one in made.rates],
        "taught": [
            {
                "name": name,
                "clips": len(word.codes),
                "codes_at": found.add(packed_bits(word.codes).tobytes()),
                "theta": word.theta,
                "mean": word.mean,
                "deviation": word.deviation,
            }
            for name, word in made.words.items()
        ],
        "background": {
            "clips": len(background.codes),
            "codes_at": found.add(packed_bits(background.codes).tobytes()),
            "weights_at": found.array("uint32_t", background.weights),
            "word": background.word.tolist(),
            "names": list(background.names),
        },
    }
    return found.finished(b"DXW1", start, about)
