"""The classifier: answers after every token, alone or in a batch, in dendrix and in transformers."""

from pathlib import Path

import pytest
import torch

from dendrix.core import accumulate
from dendrix.data.text.tokenizers import word_tokenizer
from dendrix.models import SpikeGPTConfig
from dendrix.models.spikegpt.classifier import SpikeGPTClassifier
from dendrix.run_folder.checkpoint import load_checkpoint

TEXTS = ("a rose is a rose", "a rose is no rose at all", "roses", "is it a rose or is it not")
LABELS = ("yes", "no", "maybe")


@pytest.fixture
def network() -> SpikeGPTClassifier:
    torch.manual_seed(0)
    found = SpikeGPTClassifier(SpikeGPTConfig(12, width=8, layers=2, v_threshold=0.05), 3).eval()
    torch.nn.init.normal_(found.classifier.weight)
    return found


@pytest.mark.parametrize("accumulation", ["mean", "last"])
def test_a_sentence_alone_and_in_a_batch(network: SpikeGPTClassifier, accumulation: str) -> None:
    rows = [torch.randint(12, (length,)) for length in (3, 7, 5)]
    x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=11)
    valid = torch.arange(7) < torch.tensor([[3], [7], [5]])
    together = accumulate(network(x, None, valid)[0], valid, accumulation)[:, -1]
    alone = torch.cat([accumulate(network(row[None])[0], None, accumulation)[:, -1] for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)


def test_it_begins_with_no_opinion() -> None:
    outputs, _ = SpikeGPTClassifier(SpikeGPTConfig(12, width=8, layers=1), 3)(torch.randint(12, (2, 4)))
    assert outputs.shape == (2, 4, 3)
    assert not outputs.any()
    with pytest.raises(ValueError, match=r"outputs: expected a whole number in \[2, inf\)"):
        SpikeGPTClassifier(SpikeGPTConfig(12, width=8, layers=1), 1)


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_pipeline_of_transformers_decides_as_the_network(network: SpikeGPTClassifier, pooling: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import save_classifier

    tokenizer = word_tokenizer(TEXTS * 2, 12)
    save_classifier(tmp_path, network, LABELS, pooling, tokenizer)
    transformers.utils.logging.disable_progress_bar()
    pipeline = transformers.pipeline("text-classification", str(tmp_path), top_k=None)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.labels == LABELS
    for batch in (1, 4):
        for text, found in zip(TEXTS, pipeline(list(TEXTS), batch_size=batch), strict=True):
            tokens = torch.tensor([tokenizer.encode(text).ids])
            shares = checkpoint.decision.evidence(checkpoint.model, tokens)[0, -1].softmax(-1)
            expected = dict(zip(LABELS, shares.tolist(), strict=True))
            assert {one["label"]: one["score"] for one in found} == pytest.approx(expected, abs=1e-6)


def test_a_language_model_is_no_classifier(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.models import SpikeGPT
    from dendrix.models.spikegpt.hf_files import load_classifier, save_language_model

    save_language_model(tmp_path, SpikeGPT(SpikeGPTConfig(12, width=8, layers=1)), word_tokenizer(TEXTS * 2, 12))
    with pytest.raises(ValueError, match=r"classifier\.weight"):
        load_classifier(tmp_path)
