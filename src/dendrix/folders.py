"""Folders of this user."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder that the environment variable DENDRIX_CACHE names, or else the user's cache folder for dendrix."""
    if chosen := os.environ.get("DENDRIX_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dendrix"
