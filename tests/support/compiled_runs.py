"""Comparison of the compiled loops of networks with their modules."""

import torch
from torch import Tensor

from dendrix.core import Stateful, chosen_kernels, use_kernels
from dendrix.exits import ExitRecord, ExitRule, decide, run


def how() -> str:
    return chosen_kernels()["run_until on cpu"]


def compare(net: Stateful, x: Tensor, rule: ExitRule, accumulation: str, lengths: Tensor, **options: int) -> None:
    """The decisions of the compiled loop equal those of the record of the modules, and the evidence is the same within rounding."""
    with torch.inference_mode():
        outputs, _ = net(x, None, torch.arange(x.shape[1]) < lengths.unsqueeze(1))
    record = ExitRecord(outputs, lengths=lengths, accumulation=accumulation)
    expected = decide(rule, record)
    found = run(net, x, rule, accumulation=accumulation, lengths=lengths, **options)
    assert "compiled_runs" in how()
    # A membrane that meets its threshold to the last bit may spike in one alone: then one row differs.
    same = found.steps == expected.steps
    assert same.float().mean() > 0.95
    assert torch.equal(found.answers[same], expected.answers[same])
    assert torch.equal(found.stopped[same], expected.stopped[same])
    assert found.row_steps == int(found.steps.sum())
    with use_kernels("reference"):
        by_modules = run(net, x, rule, accumulation=accumulation, lengths=lengths, **options)
    assert "reference" in how()
    close = torch.isclose(found.evidence, by_modules.evidence, rtol=1e-3, atol=1e-3).all(1)
    assert close[same].float().mean() > 0.95
