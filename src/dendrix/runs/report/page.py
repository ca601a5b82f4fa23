"""HTML elements of a report. All text is escaped, and the page loads nothing from other places."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...plot import as_png

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0.2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 0.9rem; } td, th { padding: 0.15rem 1rem 0.15rem 0; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; } tr { border-bottom: 1px solid #eee; }
.warning { border-left: 4px solid #b2182b; padding-left: 0.8rem; }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole page, given its parts as HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n<h1>{escape(title)}</h1>\n'
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; `kind` is its CSS class, such as "warning"."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def picture(figure: Any, what: str) -> str:
    """Return a matplotlib figure as an inline image; `what` is its alternative text."""
    return _image(as_png(figure), what)


def picture_file(path: Path, what: str) -> str:
    """Return a PNG file as an inline image."""
    return _image(path.read_bytes(), what)


def _image(content: bytes, what: str) -> str:
    return f'<p><img alt="{escape(what)}" src="data:image/png;base64,{base64.b64encode(content).decode()}"></p>'


def table(rows: Mapping[str, Any]) -> str:
    """Return a table of names and values, one row each."""
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"
