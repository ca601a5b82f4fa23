"""The page for browsers as a part of the site: page/index.html."""

import shutil
from pathlib import Path
from typing import Any

from dendrix.page import build_page


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", write)  # autodoc changes the default arguments of classes, which identify networks
    return {"parallel_read_safe": True}


def write(app: Any) -> None:
    if app.builder.format == "html":
        folder = Path(app.outdir) / "page"
        shutil.rmtree(folder, ignore_errors=True)
        build_page(folder)
