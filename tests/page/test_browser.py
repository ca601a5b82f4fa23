"""The page as a visitor meets it: without a connection, with the keyboard, on small screens, with damaged files and in old browsers."""

import importlib.util
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.browser import Visitor, needs_browser, served
from support.paths import ROOT

pytestmark = [needs_browser, pytest.mark.extended]
ROOMS = re.findall(r'name: "(\w+)"', (ROOT / "src/dendrix/page/web/rooms.js").read_text())
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 320, "height": 640}


def axe_source() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-core, of the package axe-playwright-python")
    return next(Path(spec.origin).parent.rglob("axe.min.js")).read_text()


@pytest.mark.parametrize("room", ["", *ROOMS])
@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_nothing_keeps_anyone_out(visit: Callable[..., Visitor], room: str, scheme: str, size: dict[str, int]) -> None:
    source = axe_source()
    visitor = visit(color_scheme=scheme, viewport=size, bypass_csp=True)
    page = visitor.open(room)
    page.evaluate(source)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert [(one["id"], one["help"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_open_when_the_network_is_cut(visit: Callable[..., Visitor], room: str) -> None:
    visitor = visit()
    page = visitor.open()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    visitor.context.set_offline(True)
    page.get_by_role("navigation").get_by_role("link").nth(ROOMS.index(room)).click()
    page.wait_for_selector(f"#{room} > div")
    if room == "write":
        page.get_by_role("button", name="Continue the text").click()
        page.wait_for_selector("#write > div[data-task=written]")
    assert page.locator(f"#{room} [role=alert]:not([hidden])").count() == 0
    assert requests == []


def test_all_is_not_loaded_before_the_threads_run(visit: Callable[..., Visitor]) -> None:
    """Their files are fetched after the rooms', and may come late."""
    visitor = visit()
    held: list[Any] = []
    visitor.context.route("**/workers/write.js", lambda route: held.append(route))
    visitor.page.goto(visitor.url)
    while not held:
        visitor.page.wait_for_timeout(50)
    visitor.page.wait_for_timeout(500)
    assert visitor.page.evaluate("document.documentElement.dataset.ready") == "shown"
    held[0].continue_()
    visitor.page.wait_for_selector("html[data-ready=loaded]")


def test_every_request_stays_here(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    requests: list[str] = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    page = visitor.open()
    assert len(requests) > 10
    assert {url for url in requests if not url.startswith(visitor.url)} == set()
    (paint,) = page.evaluate("performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)")
    assert paint < 1000
    assert visitor.context.cookies() == []


def test_keyboard_alone(visit: Callable[..., Visitor]) -> None:
    page = visit().open()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(1 + ROOMS.index("codes")):
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#codes > div")
    assert page.title() == "Sparse codes · dendrix"
    assert page.evaluate("document.activeElement.id") == "content"
    page.get_by_label("Threshold θ").focus()
    before = page.locator("#codes tr[data-command]").first.get_attribute("data-command")
    page.keyboard.press("ArrowRight")
    assert page.locator("#codes tr[data-command]").first.get_attribute("data-command") != before
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.go_back()
    page.wait_for_selector("#start:not([hidden])")
    assert page.title() == "dendrix"


def changed(folder: Path, target: Path, name: str, change: Callable[[bytearray], Any] | None) -> Path:
    """A copy of the page in which a file was changed, or removed."""
    shutil.copytree(folder, target)
    content = bytearray((target / name).read_bytes())
    (target / name).unlink()
    if change is not None:
        change(content)
        (target / name).write_bytes(content)
    return target


def flip(content: bytearray) -> None:
    content[len(content) // 2] ^= 16


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("models/see.bin", flip, "models/see.bin is damaged: its checksum differs"),
        ("engines/dendrix_image_simd.wasm", flip, "is damaged"),
        ("models/see.json", None, "models/see.json is missing (404)"),
        ("models/see-samples.bin", bytearray.clear, "is damaged"),
    ],
)
def test_a_damaged_file_closes_one_room(folder: Path, tmp_path: Path, browser: Any, name: str, change: Any, sentence: str) -> None:
    with served(changed(folder, tmp_path / "page", name, change)) as url:
        visitor = Visitor(browser, url)
        page = visitor.open("see")
        page.wait_for_selector("#see [role=alert]")
        assert sentence in page.locator("#see [role=alert]").text_content()
        page.get_by_role("button", name="Try again").click()
        page.wait_for_selector("#see [role=alert]")
        page.get_by_role("navigation").get_by_role("link", name="Write").click()
        page.wait_for_selector("#write > div")
        page.get_by_role("link", name="dendrix", exact=True).click()
        assert sentence in page.locator("#loading").text_content()
        visitor.context.close()
    assert [problem for problem in visitor.problems if "404" not in problem] == []


def test_without_its_list_the_page_says_so(folder: Path, tmp_path: Path, browser: Any) -> None:
    with served(changed(folder, tmp_path / "page", "page.json", None)) as url:
        page = Visitor(browser, url).page
        page.goto(url)
        page.wait_for_selector("#problem:not([hidden])")
        assert "page.json is missing" in page.locator("#problem").text_content()
        page.context.close()


def test_a_broken_thread_is_told(folder: Path, tmp_path: Path, browser: Any) -> None:
    with served(changed(folder, tmp_path / "page", "workers/write.js", lambda content: content.extend(b"}"))) as url:
        page = Visitor(browser, url).open("write")
        page.wait_for_selector("#write [role=alert]")
        assert "The thread of the language model failed" in page.locator("#write [role=alert]").text_content()
        page.context.close()


def test_opened_as_a_file_the_page_says_so(folder: Path, browser: Any) -> None:
    page = browser.new_context().new_page()
    page.goto((folder / "index.html").as_uri())
    page.get_by_text("serve the folder").wait_for(timeout=20_000)
    page.context.close()


def test_without_webassembly_the_page_says_so(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.add_init_script("delete globalThis.WebAssembly")
    visitor.page.goto(visitor.url)
    visitor.page.wait_for_selector("#problem:not([hidden])")
    assert "no WebAssembly" in visitor.page.locator("#problem").text_content()


def test_two_tabs_write_alike(visit: Callable[..., Visitor]) -> None:
    pages = [visit().open("write") for _ in range(2)]
    for page in pages:
        page.get_by_role("button", name="Continue the text").click()
    for page in pages:
        page.wait_for_selector("#write > div[data-task=written]")
    first, second = (page.get_by_label("The text so far").text_content() for page in pages)
    assert first == second
    assert len(first) > 300


def png(width: int, height: int) -> bytes:
    """A picture with a gradient."""
    rows = b"".join(b"\0" + bytes(value for x in range(width) for value in (x % 256, y % 256, 128)) for y in range(height))
    chunks = ((b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize(("width", "height"), [(1, 1), (700, 33), (32, 32)])
def test_pictures_of_any_size(visit: Callable[..., Visitor], width: int, height: int) -> None:
    page = visit().open("see")
    file = {"name": "own.png", "mimeType": "image/png", "buffer": png(width, height)}
    page.get_by_label("Or a picture of yours").set_input_files(file)
    page.get_by_text("own.png: its centre was scaled to 32 x 32 pixels.").wait_for()
    assert page.locator("#see button[aria-pressed=true]").count() == 0
    assert page.get_by_text("known for the pictures above only").is_visible()


@pytest.mark.parametrize("content", [b"", b"no picture", png(40, 40)[:90]])
def test_what_is_no_picture_is_refused(visit: Callable[..., Visitor], content: bytes) -> None:
    page = visit().open("see")
    before = page.locator("#see > div").get_attribute("data-label")
    page.get_by_label("Or a picture of yours").set_input_files({"name": "own.png", "mimeType": "image/png", "buffer": content})
    page.get_by_text("own.png: expected a picture that this browser can read").wait_for()
    assert page.locator("#see > div").get_attribute("data-label") == before


def test_reduced_motion_plays_nothing(visit: Callable[..., Visitor]) -> None:
    page = visit(reduced_motion="reduce").open("see")
    page.get_by_role("button", name="Play the steps").click()
    assert page.get_by_role("button", name="Play the steps").is_enabled()
    assert "up to step 8" in page.locator("#see .layers canvas").first.get_attribute("aria-label")
