"""Lint of the prose: docstrings, comments, messages and help texts of the source, and pages of the docs, in plain technical English.

The patterns are the worst signs of sentences that have to be read twice. They are chosen to have few false positives.
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SOURCE = ROOT / "src" / "dendrix"
SOURCES = sorted(SOURCE.rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

OPENINGS = re.compile(r"(What|How|Where|Why|When|Who|Which|Whether|Of|In which)\b|The [^.]* that met\b")
"""Beginnings of module docstrings. They start with a noun phrase or an imperative instead."""

PHRASES = {
    name: re.compile(pattern)
    for name, pattern in {
        "a metaphor": r"\b(?:lives? in|a day in|tries hard|brings? (?:\w+ ){0,3}to life|for ever|this fate|by heart)\b",
        "software that speaks": r"\b(?:layer|module|network|rule|class|file|name|page|model)s? (?:that )?(?:tells?|says?|asks?)\b",
        "software with senses": r"\b(?:hears?|listens to|wants?|remembers?|forgets?|believes?)\b",
        "asked or told": r"\b(?:unasked|(?:is|are|was|were) (?:asked|told)|asked (?:of|for)|tells (?:it|them|the network))\b",
        "software that knows": r"\bknows? (?:no|its|their|all|how|what|nothing|from)\b|\bdo(?:es)? not know\b",
        "nobody": r"\b(?:[Nn]obody|[Ss]omebody|[Ee]verybody|[Nn]o one|strangers?)\b",
        "is there": r"\b(?:is|are|was|were) (?:not |still |already )?there\b(?! (?:is|are|was|were|yet)\b)",
        "goes on": r"\b(?:goes|went) on\b",
        "by itself": r"\bby (?:itself|themselves)\b",
        "word for message or string": r"\b(?:an unknown word|no word|expected a word, got|in plain words)\b",
        "inverted relative clause": r"\bof which (?:the|one|none|they)\b|\b(?:are|for) what (?:the|it|they|was|is)\b",
        "no as a negation": r"\b(?:is|are|was|were) no (?:JSON|bool|Python|wav|word|part|number)\b|(?<!there )\b(?:is|are) none\b",
        "what came": r"\bwhat (?:came|comes|stood|stands|to do)\b",
        "may not be read": r"\bmay not be (?:read|written)\b",
        "text that stands": r"\b(?:[Ee]quations?|tokens?|values?|they|that|neurons) stands? (?:in|at|on|before|after|here|there)\b",
        "a description that begins with of": r"\n\s+\w+: of (?:the|what|a|an) ",
        "an idiom": r"\b(?:once more|all the same|as it comes|at once in|good for good|of its own making)\b",
    }.items()
}
"""Phrases of literary or metaphorical prose, by the name of the sign."""


def python_prose(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings, other strings with a space and comments with their lines. Values in f-strings are replaced by {}."""
    nodes = list(ast.walk(ast.parse(source)))
    pieces = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            text = "".join(parts)
            if " " in text:  # others are names, such as those of files
                yield node.lineno, text
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value and id(node) not in pieces:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def page_prose(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs of a page with their lines, without code blocks."""
    fenced, start, lines = False, 1, []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("```"):
            fenced = not fenced
        elif line.strip() and not fenced and not line.startswith(("    ", ">")):
            start, lines = (start, [*lines, line]) if lines else (number, [line])
        elif lines:
            yield start, " ".join(lines)
            lines = []


def signs(prose: Iterator[tuple[int, str]]) -> list[str]:
    """Lines with a sign, its name and the text around it."""
    found = []
    for line, text in prose:
        words = " ".join(text.split())
        for name, pattern in PHRASES.items():
            flat = text if "begins with of" in name else words
            found += [f"line {line}: {name}: ...{flat[max(0, hit.start() - 30) : hit.end() + 20]}..." for hit in pattern.finditer(flat)]
    return sorted(set(found))


def opening(source: str) -> str:
    """The beginning of a module docstring that is a question word or the like; empty if there is none."""
    found = OPENINGS.match(ast.get_docstring(ast.parse(source)) or "")
    return found.group() if found else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert opening(text) == ""
    assert signs(python_prose(text)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page: Path) -> None:
    assert signs(page_prose(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "A layer most of whose weights can be brought to rest for ever.",
        "The class says for itself.",
        "The probability that a neuron hears no feedback.",
        "The share of the inputs that an output listens to.",
        "Classes are never imported unasked.",
        "A kernel that cannot do what was asked of it.",
        "A module that knows no time.",
        "A class that a file names and nobody trusted.",
        "path: expected a file, which is not there.",
        "Without a prompt it goes on where it was.",
        "Operations run by themselves.",
        "A longer recording is no word but a day in the studio.",
        "In two ways, of which the release meant one.",
        "ValueError: it is no JSON object.",
        "path: expected a folder, but {path.parent} is none.",
        "Says what was expected, what came, and what to do.",
        "OSError: there is no such file or it may not be read.",
        "The equations stand in `lif_step`.",
        "\n        seed: of what is held out.",
        "The text is shown as it comes.",
        "model: expected a word, got 3.",
    ],
)
def test_bad_examples_are_found(text: str) -> None:
    assert signs(iter([(1, text)]))


@pytest.mark.parametrize(
    "text",
    [
        "Integrate-and-fire neurons whose mean rate is a ReLU clipped at the threshold.",
        "Invalid UTF-8 decodes to U+FFFD.",
        "Longest WAV file accepted; longer audio is streamed.",
        "Entries with the given action.",
        "InputError: there is no batch, or the shapes do not match.",
        "path: expected a Python file, but it does not exist. Check the path.",
        "Class with the most evidence, of the classes of the record.",
        "None if there is none.",
        "words: class of each clip, one of 35 words.",
        "Return whether the rule stops the row.",
        "The unknown word is refused; the error suggests the nearest.",
    ],
)
def test_good_examples_pass(text: str) -> None:
    assert signs(iter([(1, text)])) == []


@pytest.mark.parametrize(
    ("docstring", "begins"),
    [
        ("What all layers share.", "What"),
        ("How batches are made.", "How"),
        ("The entries that met this fate.", "The entries that met"),
        ("Whatever follows is a noun phrase.", ""),
        ("Weight initialisation: the scheme of the paper.", ""),
    ],
)
def test_openings_of_modules(docstring: str, begins: str) -> None:
    assert opening(f'"""{docstring}"""\nx = 1\n') == begins


def test_prose_is_taken_from_docstrings_comments_messages_and_paragraphs() -> None:
    source = 'def f():\n    """Doc string."""\n    raise E(f"{name}: expected a thing, " f"got {value}.")  # a comment\n'
    assert {text for _, text in python_prose(source)} >= {"Doc string.", "# a comment", "{}: expected a thing, got {}."}
    page = "# Title\n\nFirst line\nof two.\n\n```python\nx = 1  # code\n```\n\n    indented code\n\nLast."
    assert list(page_prose(page)) == [(1, "# Title"), (3, "First line of two."), (12, "Last.")]
