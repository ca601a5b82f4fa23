"""The common model tests of transformers, run on our models: `make test-transformers SOURCE=…`.

SOURCE is a checkout or an unpacked source distribution of the pinned version. A source distribution lacks two of its own modules, those of
generation and of exporters; they are replaced by empty classes, and the first test says so.
"""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from unittest import SkipTest, TestCase

import pytest
import torch

SOURCE = os.environ.get("SOURCE")
if not SOURCE or not (Path(SOURCE) / "tests/test_modeling_common.py").is_file():
    pytest.skip("needs SOURCE, a checkout or source distribution of transformers", allow_module_level=True)

PACKAGE = "transformers_source_tests"
package = ModuleType(PACKAGE)
package.__path__ = [str(Path(SOURCE) / "tests")]
sys.modules[PACKAGE] = package
MISSING = []
for module, name in {"generation.test_utils": "GenerationTesterMixin", "exporters.test_export": "ExportTesterMixin"}.items():
    if not (Path(SOURCE) / "tests" / (module.replace(".", "/") + ".py")).is_file():
        MISSING.append(module)
        stub = ModuleType(f"{PACKAGE}.{module}")
        setattr(stub, name, type(name, (), {}))
        parent = sys.modules.setdefault(f"{PACKAGE}.{module.partition('.')[0]}", ModuleType(module.partition(".")[0]))
        parent.__path__ = []
        sys.modules[f"{PACKAGE}.{module}"] = stub

from transformers_source_tests import test_modeling_common as common  # noqa: E402

from dendrix.models.spikegpt.hf import (  # noqa: E402
    SpikeGPTForCausalLM,
    SpikeGPTForSequenceClassification,
    SpikeGPTForTokenClassification,
    SpikeGPTModel,
    SpikeGPTPreTrainedConfig,
)

# By these names transformers knows which labels a class takes.
common.MODEL_MAPPING_NAMES["spikegpt"] = "SpikeGPTModel"
common.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES["spikegpt"] = "SpikeGPTForCausalLM"
common.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES["spikegpt"] = "SpikeGPTForSequenceClassification"
common.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES["spikegpt"] = "SpikeGPTForTokenClassification"

GENERATION: Any = sys.modules.get(f"{PACKAGE}.generation.test_utils")


class Sizes:
    """Sizes, configuration and inputs for the common tests."""

    batch_size, seq_length, is_training = 3, 7, True
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads, num_labels = 99, 32, 2, 0, 3

    def __init__(self, parent: TestCase):
        self.parent = parent

    def get_config(self) -> SpikeGPTPreTrainedConfig:
        return SpikeGPTPreTrainedConfig(
            vocab_size=self.vocab_size, hidden_size=self.hidden_size, num_hidden_layers=self.num_hidden_layers,
            dropout=0.0, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )  # fmt: skip

    def prepare_config_and_inputs_for_common(self) -> tuple[SpikeGPTPreTrainedConfig, dict[str, Any]]:
        ids = torch.randint(3, self.vocab_size, (self.batch_size, self.seq_length))
        return self.get_config(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


class SpikeGPTCommonTest(common.ModelTesterMixin, GENERATION.GenerationTesterMixin, TestCase):
    """The tests themselves are inherited."""

    all_model_classes: ClassVar[tuple[type, ...]] = (
        SpikeGPTModel, SpikeGPTForCausalLM, SpikeGPTForSequenceClassification, SpikeGPTForTokenClassification,
    )  # fmt: skip
    has_attentions = False
    test_headmasking = test_pruning = False
    model_split_percents: ClassVar[list[float]] = [0.5, 0.7, 0.8]

    def setUp(self) -> None:
        self.model_tester = Sizes(self)

    def test_what_the_source_lacks(self) -> None:
        if MISSING:
            raise SkipTest(f"SOURCE has no tests/{', tests/'.join(MISSING)}: those tests did not run. Use a checkout.")
