"""Checks of the published numbers, and the page of the docs."""

import json
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.reproduce.claim import Claim, check
from dendrix.reproduce.papers import sdr
from dendrix.reproduce.papers.sdr_claims import claims
from dendrix.sdr import false_positive
from support.paths import DOCS

PAGE = DOCS / sdr.PAGE


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: f"{claim.where}: {claim.says}: {claim.published}")
def test_claims_come_out_as_known(claim: Claim) -> None:
    assert check(claim).passed


def test_a_wrong_verdict_is_noticed() -> None:
    sizes = dict(n=64, a=8, s=8, theta=4)
    assert check(Claim("here", "right", "0.006169265", false_positive, sizes)).passed
    assert not check(Claim("here", "right", "0.006169265", false_positive, sizes, holds=False)).passed
    assert not check(Claim("here", "wrong in its last digit", "0.006169267", false_positive, sizes)).passed
    assert check(Claim("here", "a bound", "0.006", false_positive, sizes, relation="above")).verdict == "holds"
    assert check(Claim("here", "a bound", "0.006", false_positive, sizes, relation="below", holds=False)).verdict == "false: +2.8%"


def test_the_paper_simulated_what_the_theory_says() -> None:
    far = {what: z for _, what, _, _, z in sdr.simulations() if abs(z) > 5}
    assert list(far) == ["a = 256, n = 300"]
    unexplained = [1 - drawn / exact for where, _, drawn, exact, z in sdr.simulations() if where == "4B" and abs(z) > 4]
    assert len(unexplained) == 3
    assert all(0 < below < 0.01 for below in unexplained)


def test_the_command_writes_the_page_of_the_docs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "sdr", "--out", str(tmp_path), "--json"]) == 0
    assert all(result["passed"] for result in json.loads(capsys.readouterr().out))
    assert (tmp_path / sdr.PAGE).read_text() == PAGE.read_text()
    assert len(list((tmp_path / "images").iterdir())) == 7


def test_an_unknown_name_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "srd"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dendrix: name: got 'srd'. Did you mean 'sdr'? Expected one of ")
    assert said.count("\n") == 1
