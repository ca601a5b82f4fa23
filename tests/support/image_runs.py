"""Run folders of small image networks, for tests."""

from pathlib import Path

import torch

from dendrix.core.files import write_json
from dendrix.data import image_batches
from dendrix.data.images.cifar import CLASSES as CLASSES
from dendrix.models import VGG, VGGConfig
from dendrix.run_folder.checkpoint import Checkpoint, write_checkpoint
from dendrix.train.image.data import CifarData
from dendrix.train.image.recipe import ImageRecipe
from dendrix.train.recipe import recipe_to_dict


def write_run(folder: Path, data: Path, config: VGGConfig) -> Path:
    """A run as a training leaves it, here a very short one on the CIFAR-10 of `picture_files`."""
    torch.manual_seed(0)
    network, train = VGG(config), CifarData(held_out=20, root=data).load().train
    optimiser = torch.optim.Adam(network.parameters(), 0.03)
    for x, _, y in [*image_batches(train, 40)] * 8:
        loss = torch.nn.functional.cross_entropy(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    folder.mkdir(parents=True)
    write_checkpoint(folder, Checkpoint(network, CLASSES))
    recipe = ImageRecipe(CifarData(held_out=20, root=data), config)
    write_json(
        folder / "run.json",
        {"name": "tiny", "recipe": recipe_to_dict(recipe), "progress": {"best_epoch": 0, "best_accuracy": 0.5, "stopped": "finished"}},
    )
    return folder
