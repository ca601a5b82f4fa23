"""Pictures of the page for the documentation: `python -m support.page_pictures docs/images/page`."""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from dendrix.page import build_page
from support.browser import Visitor, chromium, served

WIDE, NARROW = {"width": 1100, "height": 1000}, {"width": 390, "height": 844}
LARGEST, TALLEST = 60_000, 1600
ROOMS = ("start", "hear", "see", "teach", "write", "codes")


def prepare(page: Any, room: str) -> None:
    """Bring a room into a state that is worth a picture."""
    if room == "see":
        page.get_by_role("button", name="airplane").click()
    if room == "hear":
        page.get_by_role("button", name="7_george_0", exact=True).click()
        page.wait_for_selector("#hear > div[data-done]")
    if room == "teach":
        page.locator("#teach select").first.select_option("fsdd")
        page.get_by_role("button", name="7_theo_0", exact=True).wait_for()
        page.get_by_label("Accepted false alarms").select_option("0.05")
        for name, digit in (("seven", 7), ("three", 3)):
            for speaker in ("george", "nicolas", "theo"):
                page.get_by_role("button", name=f"{digit}_{speaker}_0", exact=True).click()
            page.get_by_label("Name of the word").fill(name)
            page.get_by_role("button", name="Teach", exact=True).click()
        page.get_by_label("Or a recording that comes").select_option("7_theo_0")
    if room == "write":
        page.get_by_role("button", name="Continue the text").click()
        page.wait_for_selector("#write > div[data-task=written]")
    if room == "codes":
        page.wait_for_timeout(2500)


def save(png: bytes, target: Path) -> None:
    """Write a picture as WebP, as small as it must be."""
    from PIL import Image

    for quality in (75, 50, 25, 10):
        content = io.BytesIO()
        Image.open(io.BytesIO(png)).save(content, "WEBP", quality=quality, method=6)
        if content.tell() <= LARGEST:
            break
    target.write_bytes(content.getvalue())


def main(folder: Path, rooms: tuple[str, ...] = ROOMS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        build_page(Path(place) / "page")
        with served(Path(place) / "page") as url, chromium() as browser:
            for room in rooms:
                for suffix, size, scheme in (("", WIDE, "light"), ("-narrow", NARROW, "dark")):
                    visitor = Visitor(browser, url, viewport=size, color_scheme=scheme, reduced_motion="reduce")
                    page = visitor.open("" if room == "start" else room)
                    prepare(page, room)
                    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
                    clip = {"x": 0, "y": 0, "width": size["width"], "height": height}
                    save(page.screenshot(full_page=True, clip=clip), folder / f"{room}{suffix}.webp")
                    visitor.context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or ROOMS)
