"""Lightning: a LightningModule with a dendrix network trains, checkpoints and predicts on the CPU."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from dendrix.layers import DelayLinear, Sequential, clamp_delays, param_groups
from dendrix.neurons import LI, LIF

lightning = pytest.importorskip("lightning", reason="needs Lightning: pip install lightning")


class Classifier(lightning.LightningModule):
    """Spikes [B, T, C] -> classes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Sequential(DelayLinear(16, 64, 100.0, 10.0), LIF(64), nn.Linear(64, 3), LI(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[0].mean(1)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def on_train_batch_end(self, *_: object) -> None:
        clamp_delays(self.network)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(param_groups(self.network, 1e-2))


def test_it_trains_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    data = TensorDataset((torch.rand(16, 30, 16) < 0.3).float() * 4, torch.randint(0, 3, (16,)))
    options = dict(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path)
    model = Classifier()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer = lightning.Trainer(max_steps=2, **options)
    trainer.fit(model, DataLoader(data, 8))
    assert trainer.global_step == 2
    assert all(not torch.equal(before[name], p) for name, p in model.named_parameters())
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    again = Classifier.load_from_checkpoint(checkpoint, weights_only=True)
    predictions = lightning.Trainer(**options).predict(again, DataLoader(data.tensors[0], 8))
    with torch.inference_mode():
        assert torch.equal(torch.cat(predictions), model.eval()(data.tensors[0]))
