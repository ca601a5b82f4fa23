"""A tiny language model, and servers of it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest
import torch

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.generate import Decoder
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.serve.access import LOOPBACK
from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from dendrix.serve.sessions.store import Store
from support.servers import Running, Start, running


@pytest.fixture(scope="session")
def network() -> SpikeGPT:
    """A language model of bytes with random weights, large enough in its head that answers differ."""
    torch.manual_seed(0)
    model = SpikeGPT(SpikeGPTConfig(vocab_size=256, width=32, layers=2, start="rwkv")).eval()
    with torch.no_grad():
        model.head.weight.normal_(0, 3)
    return model


@pytest.fixture(scope="session")
def served(network: SpikeGPT) -> Served:
    """The model as it is served."""
    decoder = Decoder(network)
    decoder.prefill(torch.tensor([[0]]))  # compiles, as a server does before it answers
    return Served("tiny", decoder, byte_tokenizer())


@pytest.fixture(scope="module")
def tiny(served: Served) -> Iterator[Running]:
    """One server for all tests of a file that leave it as it was."""
    with running(served, Limits()) as found:
        yield found


@pytest.fixture
def start(served: Served) -> Iterator[Start]:
    """A function that starts a server with limits of the test's own."""
    with ExitStack() as stack:

        def start(
            limits: Limits = Limits(),
            token: str | Sequence[str] | None = None,
            other: Served = served,
            hosts: Sequence[str] = LOOPBACK,
            origins: Sequence[str] = (),
            store: Store | None = None,
        ) -> Running:
            return stack.enter_context(running(other, limits, token, hosts, origins, store))

        yield start
