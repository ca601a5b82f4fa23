"""Folders of the repository."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
FIXTURES = TESTS / "fixtures"
ROOT = TESTS.parent
DOCS = ROOT / "docs"
