"""`dendrix sdr` as a user meets it: numbers, JSON, and one sentence for what cannot be answered."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dendrix.cli import main
from dendrix.sdr import false_positive, union_false_positive


def answer(capsys: pytest.CaptureFixture[str], words: str) -> Any:
    """The JSON that a command prints."""
    assert main(["sdr", *words.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "probability", "log10"),
    [
        ("fp --n 10000 --a 300 --s 30 --theta 12", 2.27907942026515e-11, -10.6422405404704),
        ("fp --n 10000 --a 300 --s 30 --theta 15 --m 1000000", 1.04919182466197e-9, -8.97914510210573),
        ("fn --a 300 --s 30 --v 60 --theta 12", 3.94743608739284e-8, -7.40368489288834),
        ("union --n 20000 --a 100 --s 25 --theta 15 --m 10", 1.69837324323782e-12, -11.7699668608143),
        ("union --n 20000 --a 100 --s 25 --theta 15 --m 10 --mode plugin_round", 1.73474310046602e-12, -11.7607648311387),
    ],
)
def test_probabilities(capsys: pytest.CaptureFixture[str], words: str, probability: float, log10: float) -> None:
    printed = answer(capsys, words)
    assert printed["probability"] == pytest.approx(probability, rel=1e-12)
    assert printed["log10"] == pytest.approx(log10, abs=1e-12)


def test_union_with_noise_is_its_false_negatives(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, "union --n 2000 --a 40 --s 20 --theta 12 --m 5 --v 12")
    assert printed["quantity"] == "union_fn"
    assert printed["probability"] == pytest.approx(0.0153374692218921, rel=1e-12)


def test_what_no_float_holds_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    words = "fp --n 200000 --a 2000 --s 300 --theta 250"
    assert answer(capsys, words)["log10"] == pytest.approx(-449.688300865, abs=1e-9)
    main(["sdr", *words.split()])
    assert "2.0497416915e-450" in capsys.readouterr().out


def test_never_is_zero_and_no_logarithm(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, "fn --a 300 --s 30 --v 18 --theta 12")
    assert (printed["probability"], printed["log10"]) == (0.0, None)
    main(["sdr", "fn", "--a", "300", "--s", "30", "--v", "18", "--theta", "12"])
    assert "never" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--solve n --a 64 --s 24 --theta 12 --target-fp 1e-12", 1963),
        ("--solve n --a 40 --s 20 --theta 10 --fp 1e-9", 922),
        ("--solve theta --n 10000 --a 300 --s 30 --fp 1e-9", 11),
        ("--solve theta --a 300 --s 30 --v 60 --fn 1e-6", 13),
        ("--solve s --n 10000 --a 200 --fraction 0.5 --multiple-of 2 --fp 1e-9", 16),
        ("--solve v --a 300 --s 30 --theta 12 --fn 1e-6", 70),
        ("--solve m --n 10000 --a 300 --s 30 --theta 15 --fp 1e-9", 953_114),
        ("--solve m --n 20000 --a 200 --s 25 --theta 15 --fp 1e-9 --union", 7),
    ],
)
def test_design_solves_for_one_number(capsys: pytest.CaptureFixture[str], words: str, found: int) -> None:
    printed = answer(capsys, f"design {words}")
    assert printed["answer"] == found == printed[printed["solve"]]


def test_a_window_has_two_ends(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, "design --solve theta --n 10000 --a 300 --s 30 --v 60 --fp 1e-9 --fn 1e-6")
    assert (printed["min_theta"], printed["max_theta"]) == (11, 13)


def test_design_lists_all_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    choices = answer(capsys, "design --target-fp 1e-6 --target-noise 0.1 --a 40 --theta 8")
    assert choices
    assert all(choice["false_positive"] <= 1e-6 and choice["a"] == 40 and choice["theta"] == 8 for choice in choices)


def test_verify_reports_the_exact_value_beside_what_was_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, "verify --n 200 --a 20 --s 10 --theta 4 --draws 50000")
    assert printed["low"] < printed["exact"] < printed["high"]
    assert printed["draws"] == 50_000


def test_explain_says_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, "explain --n 10000 --a 300 --s 30 --theta 12 --v 60")
    assert (printed["guaranteed_noise"], printed["largest_noise"], printed["theta_window"]) == (18, 70, [11, 13])
    assert main(["sdr", "explain", "--n", "10000", "--a", "300", "--s", "30", "--theta", "12"]) == 0
    assert "Reliable" in capsys.readouterr().out
    assert main(["sdr", "explain", "--n", "100", "--a", "50", "--s", "10", "--theta", "5"]) == 0
    assert "Not reliable" in capsys.readouterr().out


def test_explain_knows_no_limit_from_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "explain --n 200000 --a 2000 --s 300 --theta 250")
    assert (found["set_capacity"], found["union_capacity"]) == (None, 59)
    main(["sdr", "explain", "--n", "200000", "--a", "2000", "--s", "300", "--theta", "250"])
    assert "Any number of segments of this kind can be checked together" in capsys.readouterr().out
    assert answer(capsys, "explain --n 100 --a 50 --s 10 --theta 5")["set_capacity"] == 0


def test_explain_a_threshold_out_of_reach(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "explain --n 300 --a 30 --s 20 --theta 21")
    assert (found["guaranteed_noise"], found["largest_noise"], found["false_negative"]) == (None, None, 1)
    main(["sdr", "explain", "--n", "300", "--a", "30", "--s", "20", "--theta", "21"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "it also misses a pattern without noise" in printed
    assert "None" not in printed


def test_no_more_cells_move_than_have_room(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "explain --n 100 --a 95 --s 20 --theta 3")
    assert (found["v"], found["guaranteed_noise"], found["largest_noise"]) == (5, 5, 5)


def test_the_probability_is_that_of_python_to_the_last_digit(capsys: pytest.CaptureFixture[str]) -> None:
    for theta in (3, 12, 20, 30):
        assert answer(capsys, f"fp --n 10000 --a 300 --s 30 --theta {theta}")["probability"] == false_positive(10_000, 300, 30, theta)
    assert answer(capsys, "union --n 2000 --a 40 --s 20 --theta 12 --m 5")["probability"] == union_false_positive(2000, 40, 20, 12, 5)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("fp --n 10.5 --a 2 --s 3 --theta 2", 2, "--n"),
        ("fp --n 10 --a 20 --s 3 --theta 2", 1, "a: expected"),
        ("fp --n 10 --a 2 --s 3", 2, "--theta"),
        ("fn --a 10 --s 20 --v 3 --theta 2", 1, "s: expected"),
        ("union --n 100 --a 10 --s 5 --theta 3 --m 2 --v 1 --mode bloom", 2, "--mode bloom"),
        ("design --target-fp 1e-9", 2, "--target-noise"),
        ("design --solve n --a 64", 2, "--s, --theta, --target-fp"),
        ("design --solve theta --n 1000 --a 300 --s 30 --v 200 --fp 1e-9 --fn 1e-6", 1, "theta"),
        ("design --solve n --a 64 --s 24 --theta 12 --fp 1e-9 --noise 0.2", 2, "--v"),
        ("design --fp 1e-9 --noise 0.2 --multiple-of 4", 2, "--solve"),
        ("design --solve s --n 1000 --a 40 --fp 1e-6 --fraction nan", 1, "fraction: expected"),
        ("verify --n 1000 --a 20 --s 20 --theta 3 --seed -1", 1, "seed: expected"),
        ("unoin --n 1", 2, "Did you mean 'union'"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(capsys: pytest.CaptureFixture[str], words: str, code: int, says: str) -> None:
    assert main(["sdr", *words.split()]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1


def test_it_answers_without_torch() -> None:
    code = (
        "import sys; from dendrix.cli import main; main('sdr fp --n 100 --a 5 --s 5 --theta 2'.split()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("form", ["", "--json"])
def test_a_reader_that_has_enough_is_no_error(form: str) -> None:
    words = [sys.executable, "-m", "dendrix", "sdr", "fp", "--n", "100", "--a", "5", "--s", "5", "--theta", "2", *form.split()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


@pytest.fixture
def activations(tmp_path: Path) -> Path:
    """Random codes of 40 of 1,000 units, as [B, T, n] with a padded step."""
    rng = np.random.default_rng(0)
    x = np.zeros((20, 11, 1000), np.float32)
    for row in x.reshape(-1, 1000):
        row[rng.choice(1000, 40, replace=False)] = rng.random(40) + 0.1
    valid = np.ones((20, 11), bool)
    valid[:, 10] = False
    np.savez(tmp_path / "activations.npz", hidden=x, valid=valid)
    return tmp_path / "activations.npz"


def test_stats_of_random_codes_are_those_of_the_theory(capsys: pytest.CaptureFixture[str], activations: Path) -> None:
    found = answer(capsys, f"stats {activations} --theta 4")["hidden"]
    assert (found["codes"], found["n"], found["dead"]) == (200, 1000, 0)
    assert found["sparsity"] == pytest.approx(0.04)
    assert found["effective_n"] == pytest.approx(1000, rel=0.05)
    assert found["confusion"] == pytest.approx(found["predicted_confusion"], rel=0.1)
    assert main(["sdr", "stats", str(activations)]) == 0
    assert "200 codes of 1,000 units" in capsys.readouterr().out


def test_stats_of_what_is_no_pack_is_one_sentence(capsys: pytest.CaptureFixture[str], activations: Path, tmp_path: Path) -> None:
    damaged, empty, lone = tmp_path / "damaged.npz", tmp_path / "empty.npz", tmp_path / "lone.npy"
    damaged.write_bytes(activations.read_bytes()[:500])
    np.savez(empty)
    np.save(lone, np.zeros((3, 4)))
    for words in ([str(damaged)], [str(empty)], [str(lone)], [str(tmp_path / "missing.npz")], [str(activations), "--array", "other"]):
        assert main(["sdr", "stats", *words]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1


def test_stats_of_a_pack_with_labels_names_the_array_that_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.savez(tmp_path / "pack.npz", hidden=np.eye(4), labels=np.arange(4))
    assert main(["sdr", "stats", str(tmp_path / "pack.npz")]) == 1
    assert "array 'labels': x: expected activations" in capsys.readouterr().err
    assert main(["sdr", "stats", str(tmp_path / "pack.npz"), "--array", "hidden"]) == 0


def test_stats_of_damaged_packs_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, draw = tmp_path / "pack.npz", np.random.default_rng(0)
    np.savez_compressed(path, hidden=draw.random((30, 40)) < 0.1)
    whole = path.read_bytes()
    for place in draw.integers(0, len(whole), 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        if main(["sdr", "stats", str(path), "--json"]):
            assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_figures_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, f"figures --out {tmp_path}")
    assert sorted(printed) == ["4A", "4B", "5A", "5B", "6", "7A", "7B"]
    assert all(Path(path).stat().st_size > 10_000 for path in printed.values())


def test_own_sizes_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(capsys, f"plot --n 10000 --a 300 --s 30 --v 60 --out {tmp_path}/own.png")
    assert printed["window"] == [11, 13]
    assert printed["theta"] == list(range(1, 31))
    assert (tmp_path / "own.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["sdr", "plot", "--n", "100", "--a", "10", "--s", "30", "--out", str(tmp_path / "x.png")]) == 1
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    "words", ["fp --n 100 --a 20 --s 5 --theta 6", "fn --a 20 --s 5 --v 2 --theta 6", "explain --n 100 --a 20 --s 5 --theta 6"]
)
def test_a_threshold_above_the_number_of_synapses_is_said(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sdr", *words.split()]) == 0
    out = capsys.readouterr().out
    assert "The threshold 6 is above the number of synapses, 5, so the segment can never fire." in out
    assert ": never." not in out


def test_designs_are_described_as_neurons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sdr", "design", "--target-fp", "1e-6", "--target-noise", "0.1", "--a", "40", "--theta", "8"]) == 0
    assert "a dendritic segment samples" in capsys.readouterr().out
