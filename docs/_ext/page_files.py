"""The page for browsers as a part of the site: page/index.html."""

import shutil
from pathlib import Path
from typing import Any

from dendrix.page import build_page


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}


def write(app: Any, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        folder = Path(app.outdir) / "page"
        shutil.rmtree(folder, ignore_errors=True)
        build_page(folder)
