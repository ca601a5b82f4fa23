"""The LSTM language model as a model of transformers, so that its run is a folder like those of the other language models."""

from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from .lstm import LSTM, LSTMConfig


class LSTMPreTrainedConfig(PreTrainedConfig):
    """Configuration of the model: the fields of `LSTMConfig`.

    Args:
        vocab_size, dropout: as in `LSTMConfig`.
        hidden_size: `width` of `LSTMConfig`.
        num_hidden_layers: `layers` of `LSTMConfig`.
        more: arguments of `PreTrainedConfig`.
    Raises:
        InputError: an argument is out of range.
    """

    model_type = "dendrix-lstm"

    def __init__(self, vocab_size: int = 256, hidden_size: int = 245, num_hidden_layers: int = 2, dropout: float = 0.0, **more: Any):
        self.vocab_size, self.hidden_size, self.num_hidden_layers, self.dropout = vocab_size, hidden_size, num_hidden_layers, dropout
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            setattr(self, name, more.pop(name, None))
        super().__init__(**{"tie_word_embeddings": False, **more})
        self.network_config()

    def network_config(self) -> LSTMConfig:
        """Return the configuration of the network."""
        return LSTMConfig(self.vocab_size, self.hidden_size, self.num_hidden_layers, self.dropout)


class LSTMForCausalLM(PreTrainedModel):
    """Language model.

    Args:
        config: configuration of the model.
    """

    config_class = LSTMPreTrainedConfig

    def __init__(self, config: LSTMPreTrainedConfig):
        super().__init__(config)
        self.network = LSTM(config.network_config())
        self.post_init()

    @classmethod
    def of(cls, network: LSTM) -> "LSTMForCausalLM":
        """Convert a network.

        Args:
            network: network whose weights and training mode are copied.
        """
        own = network.config
        model = cls(LSTMPreTrainedConfig(own.vocab_size, own.width, own.layers, own.dropout))
        model.network.load_state_dict(network.state_dict())
        model.train(network.training)
        return model

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the initial weights, which the constructor of the network sets."""

    def forward(self, input_ids: Tensor) -> CausalLMOutput:
        """Compute the logits [B, T, V] of tokens int64 [B, T]."""
        return CausalLMOutput(logits=self.network(input_ids)[0])
