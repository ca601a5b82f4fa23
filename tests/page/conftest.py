"""The page with the shipped networks, built once, and a browser to visit it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dendrix.page import build_page
from support.browser import Visitor, chromium, served


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page."""
    place = tmp_path_factory.mktemp("page") / "page"
    build_page(place)
    return place


@pytest.fixture(scope="session")
def url(folder: Path) -> Iterator[str]:
    """Address of the page."""
    with served(folder) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A running Chromium."""
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Callable[..., Visitor]]:
    """Make a visitor; at the end the console must be without errors."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, options.pop("url", url), **options))
        return visitors[-1]

    yield make
    problems = [problem for visitor in visitors for problem in visitor.problems]
    for visitor in visitors:
        visitor.context.close()
    assert problems == []
