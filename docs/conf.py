"""Configuration of the documentation site: `make docs`."""

import hashlib
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "dendrix"
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import dendrix  # noqa: E402

project = "dendrix"
author = "The dendrix authors"
version = release = dendrix.__version__
html_title = f"dendrix {release}"

extensions = [
    "myst_nb",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "command_line",
    "docstrings",
    "links",
    "page_files",
    "public_names",
]
exclude_patterns = ["_build"]
nitpicky = True
keep_warnings = True

# Docstrings. The default role links `Name` where there is a page for it, and leaves it as code elsewhere.
default_role = "py:obj"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# Pages and notebooks. Notebooks run again whenever dendrix has changed.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(
    HERE / "_build" / "notebooks" / hashlib.sha256(b"".join(p.read_bytes() for p in sorted(SOURCE.rglob("*.py")))).hexdigest()[:16]
)
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_code_prompt_show = "Show the code of the figure"
nb_code_prompt_hide = "Hide the code"

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["dendrix.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "dendrix"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}
copyright = "The dendrix authors, Apache-2.0"
