"""Speed of the page in Chromium beside Python: `python -m dendrix.page.measure benchmarks/page.json`. Needs playwright and Chromium.

Runs in the browser and in Python alternate, so that other work on the machine slows both; figures are medians of wall-clock times.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import write_json
from ..deploy import continued
from ..errors import InputError, MissingExtraError
from ..pretrained import find_run
from ..run_folder import load_checkpoint
from .builder import build_page
from .seeing import deployed_images
from .server import PageServer
from .writing import deployed_text

ROUNDS, BYTES, PICTURES = 7, 2000, 40
_PROMPT = "It was a dark night, and "


def measure_page() -> dict[str, Any]:
    """Measure the page with the shipped networks.

    Returns:
        sizes, time of the first view, and speed in the browser and in Python.
    Raises:
        MissingExtraError: playwright is not installed.
        InputError: there is no Chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as missing:
        raise MissingExtraError.of("Measuring the page needs", "playwright", "browser", missing) from missing
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise InputError("Chromium: expected it on the path, got none. Install it from your distribution.")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place) / "page"
        about = build_page(folder)
        with PageServer(folder) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            found = {
                "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "browser": f"Chromium {browser.version}"},
                "bytes": _bytes(folder, about),
                "first_view_ms": _first_view(browser, server.url),
                "write": _write(browser, server.url),
                "see": _see(browser, server.url, folder),
            }
            browser.close()
            server.shutdown()
    return found


def _bytes(folder: Path, about: dict[str, Any]) -> dict[str, int]:
    first = sum(
        (folder / name).stat().st_size
        for name in ("index.html", "style.css", "main.js", "rooms.js", "lib/html.js", "lib/files.js", "page.json")
    )
    return {"all": sum(file["bytes"] for file in about["files"].values()), "first_view": first}


def _tab(browser: Any, url: str, room: str = "") -> Any:
    page = browser.new_context().new_page()
    page.goto(f"{url}#{room}")
    page.wait_for_selector("html[data-ready=loaded]", timeout=60_000)
    return page


def _first_view(browser: Any, url: str) -> dict[str, float]:
    paints, loads = [], []
    for _ in range(ROUNDS):
        page = _tab(browser, url)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        loads.append(page.evaluate("performance.now()"))
        page.context.close()
    return {"first_contentful_paint": statistics.median(paints), "everything_loaded": statistics.median(loads)}


def _compared(browser: list[float], python: list[float]) -> dict[str, float]:
    ratio = statistics.median(one / other for one, other in zip(browser, python, strict=True))
    return {"browser": round(statistics.median(browser)), "python": round(statistics.median(python)), "ratio": round(ratio, 3)}


def _write(browser: Any, url: str) -> dict[str, float]:
    """Bytes per second."""
    network, page = deployed_text(find_run("novels")).network, _tab(browser, url, "write")
    tokens, fast, slow = np.array(list(_PROMPT.encode())), [], []
    page.get_by_label("Bytes to write").fill(str(BYTES))
    for _ in range(ROUNDS):
        page.get_by_role("button", name="Start anew").click()
        page.wait_for_selector("#write > div[data-bytes='0']")
        page.get_by_label("Text to continue").fill(_PROMPT)
        page.get_by_role("button", name="Continue the text").click()
        page.wait_for_selector("#write > div[data-task=written]", timeout=120_000)
        fast.append(float(page.locator("#write > div").get_attribute("data-speed")))
        began = time.perf_counter()
        list(islice(continued(network, tokens, 600, 1), BYTES))
        slow.append(BYTES / (time.perf_counter() - began))
    page.context.close()
    return _compared(fast[1:], slow[1:])


def _see(browser: Any, url: str, folder: Path) -> dict[str, float]:
    """Steps per second; in the browser with the spikes of all layers copied."""
    run = find_run("cifar10")
    deployed, page = deployed_images(run, load_checkpoint(run)), _tab(browser, url, "see")
    pixels = np.frombuffer((folder / "models" / "see-samples.bin").read_bytes(), np.uint8).reshape(-1, deployed.step).astype(np.int64)
    steps, fast, slow = deployed.network.presented, [], []
    for _ in range(ROUNDS):
        spent = []
        for _ in range(PICTURES):
            page.get_by_role("button", name="truck").click()
            spent.append(float(page.locator("#see > div").get_attribute("data-ms")))
        fast.append(1000 * steps / statistics.median(spent))
        began = time.perf_counter()
        for _ in range(PICTURES):
            deployed.totals(pixels[-1])
        slow.append(PICTURES * steps / (time.perf_counter() - began))
    page.context.close()
    return _compared(fast[1:], slow[1:])


if __name__ == "__main__":
    target = Path(sys.argv[1])
    measured = measure_page()
    write_json(target, measured)
    print(json.dumps(measured, indent=2))
