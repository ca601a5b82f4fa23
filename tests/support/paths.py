"""Folders of the repository."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
FIXTURES = TESTS / "fixtures"
ROOT = TESTS.parent
DOCS = ROOT / "docs"
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Data sets beside the repository; tests that need one say so when they are skipped."""
