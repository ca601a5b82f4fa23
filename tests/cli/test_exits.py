"""`dendrix exits`: from a trained network to recordings that are heard only until their word is clear."""

import io
import json
import os
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from dendrix.cli import main
from dendrix.cli.exits_fit import GoalName, RuleName
from dendrix.exits import GOALS, RULES, ExitRecord, Monitor
from support.exit_records import pool

TRAIN = (
    "train fsdd-delays --data.encoder.n-mels 8 --model.inputs 8 --model.hidden 12 --model.max-delay-ms 40 --optim.lr 0.03 "
    "--budget.batch-size 10 --budget.epochs 15 --augment.shift-channels 0 --augment.mask-channels 0 "
    "--data.encoder.dt-ms 10 --data.encoder.window-ms 25 --model.dt-ms 10"
)


@pytest.fixture(scope="module")
def work(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, records of its splits and a policy fitted to one of them."""
    folder = tmp_path_factory.mktemp("exits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENDRIX_CACHE", str(folder / "cache"))
        assert main([*TRAIN.split(), "--data.root", str(tones), "--out", str(folder / "run"), "--json"]) == 0
        for split in ("train", "valid", "test"):
            assert main(["exits", "record", str(folder / "run"), "--split", split, "--out", str(folder / f"{split}.npz"), "--json"]) == 0
    assert main(["exits", "fit", str(folder / "train.npz"), "--out", str(folder / "policy.json"), "--json"]) == 0
    return folder


def answer(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, object]:
    """The JSON that a command prints."""
    capsys.readouterr()
    assert main(["exits", *map(str, words), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def failure(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    """Exit code and message of a command that must fail without printing anything else."""
    capsys.readouterr()
    code = main(["exits", *map(str, words)])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return code, err


def test_a_record_is_what_evaluate_scores(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = ExitRecord.load(work / "test.npz")
    capsys.readouterr()
    assert (record.grouped_by, record.groups is None) == ("speaker", False)
    assert main(["evaluate", str(work / "run"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    right = record.right()
    assert right[torch.arange(len(record)), record.ends - 1].double().mean() == scores["accuracy"]
    assert right.double().mean(0).tolist() == pytest.approx(scores["accuracy_over_time"])
    assert (record.dt_ms, record.accumulation) == (10.0, "mean")
    assert record.ends.unique().tolist() == [20, 21]  # 10 frames of sound or 11, and 10 of silence


def test_fitting_stops_earlier_and_loses_nothing(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = answer(capsys, "fit", work / "train.npz", "--out", work / "margin.json", "--rule", "margin")
    assert policy["file"] == str(work / "margin.json")
    assert policy["rule"]["name"] == "margin"  # type: ignore[index]
    assert policy["mean_steps"] < 15  # type: ignore[operator]


def test_every_goal_writes_a_policy(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, out = work / "train.npz", work / "other.json"
    budget = answer(capsys, "fit", record, "--out", out, "--goal", "mean-steps", "--steps", "12", "--rule", "entropy", "--scale", "2.5")
    assert budget["mean_steps"] <= 12  # type: ignore[operator]
    assert budget["rule"]["scale"] == 2.5  # type: ignore[index]
    several = answer(capsys, "fit", record, "--out", out, "--rule", "patience", "max-probability", "--scale", "auto", "--per-step")
    assert several["parts"] == {"certification": 15, "selection": 7, "fit": 8}
    sure = answer(capsys, "fit", record, "--out", out, "--goal", "guarantee", "--eps", "0.2", "--loss", "disagreement")
    assert "at least 0.9" in str(sure["statement"])


def test_a_guarantee_without_enough_inputs_is_refused_with_their_number(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("fit", work / "valid.npz", "--out", work / "none.json", "--goal", "guarantee")
    code, message = failure(capsys, *words)
    assert code == 1
    assert "expected at least 230 inputs" in message
    assert "got 10" in message
    assert not (work / "none.json").exists()
    assert answer(capsys, *words, "--fallback")["rule"]["threshold"] == "never"  # type: ignore[index]


def test_a_word_is_clear_before_its_end(work: Path, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tones / f"{digit}_tester_0.wav" for digit in (0, 1)]
    answers = answer(capsys, "run", work / "run", *files, "--policy", work / "policy.json")
    assert [found["label"] for found in answers] == ["0", "1"]  # type: ignore[index]
    record = ExitRecord.load(work / "test.npz")
    for found in answers:
        assert set(found) == {"file", "label", "confidence", "heard_ms", "length_ms", "stopped"}  # type: ignore[call-overload]
        assert found["stopped"]  # type: ignore[index]
        assert found["heard_ms"] < 10 * int(record.ends[0])  # type: ignore[index]
        assert found["length_ms"] == 100.0  # type: ignore[index]
    assert main(["exits", "run", str(work / "run"), str(files[0]), "--policy", str(work / "policy.json")]) == 0
    assert "100 ms" in capsys.readouterr().out


def test_a_stream_is_read_only_as_far_as_it_is_needed(
    work: Path, tones: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with wave.open(str(tones / "1_tester_0.wav")) as file:
        samples = file.readframes(file.getnframes())
    stream = io.BytesIO(samples * 100)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    (found,) = answer(capsys, "run", work / "run", "-", "--policy", work / "policy.json")
    assert (found["label"], found["length_ms"]) == ("1", None)  # type: ignore[index]
    assert stream.tell() < len(samples) * 100


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("fit {}/train.npz --out {}/x.json --goal mean-steps", 2, "Give --steps"),
        ("fit {}/train.npz --out {}/x.json --delta 0.1", 2, "expected options of pareto, --eps, got --delta"),
        ("fit {}/train.npz --out {}/x.json --goal mean-steps --steps 3 --eps 0.1", 2, "options of mean-steps, --steps, got --eps"),
        ("fit {}/train.npz --out {}/x.json --rule margins", 2, "margins"),
        ("fit {}/train.npz --out {}/x.json --rule margin --scale auto", 2, "expected a rule with a scale"),
        ("fit {}/train.npz --out {}/x.json --rule margin patience --scale 2", 2, "got margin, patience"),
        ("fit {}/train.npz --out {}/nowhere/x.json", 1, "nowhere"),
        ("fit {}/train.npz --out {}/train.npz", 2, "expected another file than the record"),
        ("fit {}/train.npz --out {}/run", 1, "run: expected a file to write, but it is a folder"),
        ("record {}/run --out {}/run", 1, "it is a folder"),
        ("report {}/policy.json {}/test.npz --figure {}", 1, "it is a folder"),
        ("check {}/train.npz --repeats 0", 1, "repeats: expected a whole number in [1, inf)"),
        ("fit {}/absent.npz --out {}/x.json", 1, "No such file"),
        ("fit {}/policy.json --out {}/x.json", 1, "expected an .npz of recorded outputs"),
        ("record {}/run --out {}/nowhere/x.npz", 1, "nowhere"),
        ("record {}/absent --out {}/x.npz", 1, "does not exist"),
        ("run {}/run", 2, "at least one recording"),
        ("run {}/policy.json {}/run {}/x.wav", 2, "Write: dendrix exits run RUN FILE.wav --policy"),
        ("run {}/run {}/x.wav", 1, "expected a policy.json in the folder"),
        ("run {}/run {}/x.wav --policy {}/run/run.json", 1, "expected an exit policy"),
        ("run {}/run {}/x.wav --policy {}/policy.json", 1, "x.wav: No such file"),
    ],
)
def test_misuse_is_one_sentence_and_leaves_nothing(
    work: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, says: str
) -> None:
    assert failure(capsys, *words.replace("{}", str(work)).split())[0] == code
    capsys.readouterr()
    main(["exits", *words.replace("{}", str(work)).split()])
    assert says in capsys.readouterr().err
    assert not (work / "x.json").exists()
    assert not (work / "x.npz").exists()


def test_a_policy_of_another_network_is_refused(work: Path, tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = ExitRecord.load(work / "train.npz")
    ExitRecord(record.outputs, record.labels, record.lengths, record.accumulation, record.dt_ms, "0" * 64).save(tmp_path / "other.npz")
    answer(capsys, "fit", tmp_path / "other.npz", "--out", tmp_path / "policy.json")
    code, message = failure(capsys, "run", work / "run", tones / "0_tester_0.wav", "--policy", tmp_path / "policy.json")
    assert code == 1
    assert "as the policy was fitted for" in message


def test_report_compares_rules_and_draws_them(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = work / "figure.png"
    found = answer(capsys, "report", work / "policy.json", work / "test.npz", "--rules", "all", "--figure", figure)
    assert found["count"] == 10
    assert not found["fitted_on_these"]
    assert found["truth"]["rules"].keys() == RULES.keys()  # type: ignore[index]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert main(["exits", "report", str(work / "policy.json"), str(work / "train.npz"), "--rules", "margin"]) == 0
    assert "fitted on these inputs, so the figures are too optimistic" in capsys.readouterr().out
    assert answer(capsys, "report", work / "policy.json", work / "train.npz")["fitted_on_these"]


def test_check_breaks_no_more_promises_than_it_may(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0)
    labels = noise.integers(0, 4, 600)
    outputs = noise.normal(size=(600, 12, 4)) + noise.gamma(1.0, 1.0, (600, 1, 1)) * np.eye(4)[labels][:, None]
    np.savez(tmp_path / "pool.npz", outputs=outputs, labels=labels)
    few, *enough = answer(capsys, "check", tmp_path / "pool.npz", "--eps", "0.02", "--repeats", "100")
    assert (few["size"], few["possible"], few["guaranteed"]["mean_steps"]) == (100, False, 12.0)  # type: ignore[index]
    assert [size["possible"] for size in enough] == [True, True]  # type: ignore[index]
    assert enough[0]["guaranteed"]["violations"] <= 0.15 < enough[0]["naive"]["violations"]  # type: ignore[index]
    assert main(["exits", "check", str(tmp_path / "pool.npz"), "--repeats", "2"]) == 0
    assert "too few" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(4))
def test_thresholds_of_steps_that_only_some_parts_reach(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    noise = np.random.default_rng(0)
    lengths = np.where(np.arange(40) == 0, 12, 10)
    np.savez(tmp_path / "x.npz", outputs=noise.normal(size=(40, 12, 4)), labels=noise.integers(0, 4, 40), lengths=lengths)
    policy = answer(capsys, "fit", tmp_path / "x.npz", "--out", tmp_path / "policy.json", "--per-step", "--seed", str(seed))
    assert len(policy["rule"]["threshold"]) == 12  # type: ignore[index]


def test_the_command_line_knows_every_rule_and_goal() -> None:
    assert get_args(RuleName) == tuple(RULES)
    assert get_args(GoalName) == tuple(GOALS)


def test_outputs_of_any_framework_can_be_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0)
    labels = noise.integers(0, 4, 300)
    outputs = noise.normal(size=(300, 12, 4)) + 2 * np.eye(4)[labels][:, None]
    np.savez(tmp_path / "outputs.npz", outputs=outputs, labels=labels)
    policy = answer(capsys, "fit", tmp_path / "outputs.npz", "--out", tmp_path / "policy.json", "--goal", "guarantee", "--eps", "0.05")
    assert policy["mean_steps"] < 8  # type: ignore[operator]
    assert policy["accumulation"] == "sum"


@pytest.mark.parametrize("command", ["record {}/run --split test", "fit {}/train.npz"])
def test_results_go_through_devices_and_links(work: Path, tmp_path: Path, command: str) -> None:
    words = ["exits", *command.replace("{}", str(work)).split(), "--json", "--out"]
    device = Path(os.devnull).stat()
    assert main([*words, os.devnull]) == 0
    assert Path(os.devnull).stat().st_rdev == device.st_rdev
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "result")
    assert main([*words, str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "result").stat().st_size > 0
    assert len(list((tmp_path / "there").iterdir())) == 1


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of 30 speakers, 40 inputs each."""
    path = tmp_path_factory.mktemp("spoken") / "spoken.npz"
    replace(pool(1200), groups=torch.arange(1200) // 40, grouped_by="speaker").save(path)
    return path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--by", "speaker", "--eps", "0.2"], "an input of a new speaker is, with a probability of at most 0.2, answered wrongly"),
        (["--by", "speaker", "--eps", "0.2", "--share", "0.3"], "for at most 0.3 of all new groups (speaker) more than 0.2 of the inputs"),
        (["--by", "class", "--eps", "0.3", "--loss", "disagreement", "--rule", "margin"], "groups (class)"),
    ],
)
def test_guarantee_for_new_groups(spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str) -> None:
    policy = answer(capsys, "fit", spoken, "--out", tmp_path / "p.json", "--goal", "guarantee", *options)
    assert says in str(policy["statement"])
    assert policy["goal"]["name"] == "guarantee-new-group"  # type: ignore[index]


def test_too_few_groups_are_refused_on_the_command_line(spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exits", "fit", str(spoken), "--out", str(tmp_path / "p.json"), "--goal", "guarantee", "--by", "speaker"]) == 1
    assert "at least 230 (speaker) for a risk of 0.01 at delta 0.1, got 30, which certify eps = 0.0739 at best" in capsys.readouterr().err
    assert not (tmp_path / "p.json").exists()


def test_other_goals_sets_and_unknown_inputs(spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("--out", tmp_path / "p.json")
    known = answer(capsys, "fit", spoken, *out, "--goal", "guarantee-known-groups", "--by", "speaker", "--eps", "0.1")
    assert "in each of the 30 groups (speaker) at once" in str(known["statement"])
    late = answer(capsys, "fit", spoken, *out, "--goal", "guarantee-over-time", "--eps", "0.1")
    assert late["rule"]["min_steps"] > 1  # type: ignore[index]
    sets = answer(capsys, "fit", spoken, *out, "--goal", "guarantee", "--loss", "missed-class", "--set-size", "3", "--eps", "0.1")
    assert (sets["rule"]["name"], sets["rule"]["size"]) == ("prediction-set", 3)  # type: ignore[index]
    assert main(["exits", "report", str(tmp_path / "p.json"), str(spoken)]) == 0
    assert "mean size of the" in capsys.readouterr().out
    ExitRecord(torch.randn(500, 16, 10)).save(tmp_path / "noise.npz")
    unknown = ("--unknown", tmp_path / "noise.npz", "--by", "known", "--eps", "0.1")
    none = answer(capsys, "fit", spoken, *out, "--goal", "guarantee-known-groups", "--loss", "wrong-answer", *unknown, "--rule", "margin")
    assert "2 groups (known)" in str(none["statement"])
    dynamic = answer(capsys, "fit", spoken, *out, "--per-step", "--path", "dynamic", "--rule", "margin")
    assert len(dynamic["rule"]["threshold"]) == 16  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--goal", "pareto", "--by", "speaker"], "got --by"),
        (["--goal", "guarantee", "--share", "0.1"], "got --share"),
        (["--goal", "guarantee", "--by", "device", "--eps", "0.2"], "by: expected 'speaker'"),
        (["--unknown", "noise.npz"], "unknown: expected it with --loss wrong-answer"),
        (["--goal", "guarantee-over-time", "--by", ""], "by: expected the kind of the groups"),
        (["--rule", "margin", "--set-size", "2"], "set_size: expected the rule prediction-set"),
    ],
)
def test_options_that_do_not_fit(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["exits", "fit", str(spoken), "--out", str(tmp_path / "p.json"), *options]) in (1, 2)
    assert message in capsys.readouterr().err


def test_watch_rings_once_the_risk_is_exceeded(spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy, state = str(tmp_path / "p.json"), str(tmp_path / "m.json")
    answer(capsys, "fit", spoken, "--out", policy, "--goal", "guarantee", "--eps", "0.05", "--rule", "margin")
    assert main(["exits", "watch", policy, str(spoken), "--monitor", state]) == 0
    for option in ("--eps", "--alpha"):  # would be ignored
        assert main(["exits", "watch", policy, str(spoken), "--monitor", state, option, "0.37"]) == 2
    assert "No alarm" in capsys.readouterr().out
    wrong = ExitRecord.load(spoken)
    replace(wrong, outputs=wrong.outputs * torch.linspace(9, 1, 16).view(1, -1, 1)).save(tmp_path / "drift.npz")
    assert main(["exits", "watch", policy, str(tmp_path / "drift.npz"), "--monitor", state, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["alarm_at"] > 1200
    assert main(["exits", "watch", policy, str(spoken), "--monitor", state]) == 1  # the alarm stays
    answer(capsys, "fit", spoken, "--out", policy)
    assert main(["exits", "watch", policy, str(spoken)]) == 2
    assert "Give --eps" in capsys.readouterr().err


def test_audit_of_a_run(work: Path, tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tones / f"{digit}_tester_0.wav" for digit in (0, 1)]
    run = ("run", work / "run", *files, "--policy", work / "policy.json", "--audit", "1", "--monitor", tmp_path / "m.json")
    capsys.readouterr()
    assert main(["exits", *map(str, run)]) == 2
    assert "eps: expected a share of differing answers" in capsys.readouterr().err
    assert not (tmp_path / "m.json").exists()
    for count in (2, 4):
        found = answer(capsys, *run, "--eps", "0.5")
        state = Monitor.load(tmp_path / "m.json")
        assert (state.count, state.eps) == (count, 0.5)
        assert state.losses == count // 2 * sum(one["full"] != one["label"] for one in found)  # type: ignore[index]
    code, message = failure(capsys, *run[:6], "--audit", "0.5")
    assert (code, "--audit and --monitor together" in message) == (2, True)
    code, message = failure(capsys, "run", work / "run", "-", *run[4:], "--eps", "0.5")
    assert (code, "expected files, got standard input" in message) == (2, True)


def test_an_input_that_is_not_stopped_is_none_of_these(work: Path, tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goal = ("--goal", "guarantee", "--loss", "wrong-answer", "--eps", "0.4", "--delta", "0.5", "--fallback", "--rule", "margin")
    last = ExitRecord.load(work / "test.npz").outputs.shape[1]
    answer(capsys, "fit", work / "test.npz", "--out", tmp_path / "p.json", *goal, "--min-steps", last)
    (found,) = answer(capsys, "run", work / "run", tones / "0_tester_0.wav", "--policy", tmp_path / "p.json")
    assert (found["label"], found["stopped"]) == ("none of these", False)  # type: ignore[index]
    sets = ("--goal", "guarantee", "--loss", "missed-class", "--eps", "0.4", "--delta", "0.5", "--set-size", "1", "--fallback")
    answer(capsys, "fit", work / "test.npz", "--out", tmp_path / "p.json", *sets)
    (found,) = answer(capsys, "run", work / "run", tones / "0_tester_0.wav", "--policy", tmp_path / "p.json")
    assert found["label"] in found["members"]  # type: ignore[index]
