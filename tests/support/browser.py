"""Chromium for tests of the page, a server for its folder, and a visitor who notes what goes wrong."""

import importlib.util
import shutil
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dendrix.page import PageServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None, reason="needs Chromium and the package playwright"
)
ARGUMENTS = ("--no-sandbox",)
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A microphone that is granted; it plays the file of --use-file-for-fake-audio-capture."""


_RUNNING: list[Any] = []
"""The running playwright, of which there can be one."""


@contextmanager
def _playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if _RUNNING:
        yield _RUNNING[0]
        return
    with sync_playwright() as running:
        _RUNNING.append(running)
        try:
            yield running
        finally:
            _RUNNING.clear()


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """A running browser with more arguments of its command line."""
    with _playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a folder while it is served."""
    with PageServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


class Visitor:
    """A tab of the page: `page` is that of playwright, `problems` what the console and scripts reported.

    Args:
        browser: running browser.
        url: address of the page.
        options: of the context, such as `viewport` and `color_scheme`.
    """

    def __init__(self, browser: Any, url: str, **options: Any):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.url = url
        self.problems: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, room: str = "") -> Any:
        """Go to a room and wait until everything is loaded; returns the tab."""
        self.page.goto(f"{self.url}#{room}")
        self.page.wait_for_selector("html[data-ready=loaded]", timeout=60_000)
        return self.page


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    """Write 16-bit samples as a WAV file; returns its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples).astype("<i2").tobytes())
    return path
