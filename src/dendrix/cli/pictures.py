"""Picture files as arguments of commands."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..run_folder import Checkpoint


def read(run: Path, checkpoint: "Checkpoint", files: tuple[Path, ...]) -> "Tensor":
    """Read picture files as the network takes images, [N, C, H, W]; changes of the pictures are noted on stderr."""
    from ..pretrained import find_run
    from ..runs.pictures import read_pictures
    from ..samples import sample

    found = read_pictures(checkpoint, find_run(run), [sample(file) for file in files])
    for note in found.notes:
        print(f"dendrix: {note}", file=sys.stderr)
    return found.x
