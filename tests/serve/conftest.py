"""A tiny language model behind a real server on a free port of this machine, in a thread of the test's own process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import torch
from fastapi import FastAPI
from openai import OpenAI

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.generate import Decoder
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.serve.app import build_app
from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from dendrix.serve.scheduler import Scheduler
from dendrix.serve.server import Server, listen


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    server: Server
    app: FastAPI
    address: tuple[str, int]

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def scheduler(self) -> Scheduler:
        scheduler: Scheduler = self.app.state.scheduler
        return scheduler

    def client(self, token: str = "none") -> OpenAI:
        """OpenAI's own client, which does not try again by itself."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=token, max_retries=0, timeout=60)


Start = Callable[..., Running]


def soon(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something becomes true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


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


@contextmanager
def running(served: Served, limits: Limits, token: str | None = None) -> Iterator[Running]:
    """A server in a thread, stopped at the end."""
    with listen("127.0.0.1", 0, limits.stall_s) as listener:
        ready, app = threading.Event(), build_app(served, limits, token)
        server = Server(app, limits, ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        ready.wait(30)
        try:
            yield Running(server, app, listener.getsockname())
        finally:
            server.stop()
            thread.join(30)


@pytest.fixture(scope="module")
def tiny(served: Served) -> Iterator[Running]:
    """One server for all tests of a file that leave it as it was."""
    with running(served, Limits()) as found:
        yield found


@pytest.fixture
def start(served: Served) -> Iterator[Start]:
    """A function that starts a server with limits of the test's own."""
    with ExitStack() as stack:
        yield lambda limits=Limits(), token=None, other=served: stack.enter_context(running(other, limits, token))
