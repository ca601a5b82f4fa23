"""Tests of completion in a shell."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dendrix.cli import main

BASH = shutil.which("bash")


def completed(script: str, *words: str, folder: Path) -> list[str]:
    """What bash offers after these words, of which the last is incomplete."""
    line = " ".join(f"'{word}'" for word in ("dendrix", *words))
    ask = f'COMP_WORDS=({line}); COMP_CWORD={len(words)}; _dendrix; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([str(BASH), "-c", f"{script}\n{ask}"], capture_output=True, text=True, cwd=folder)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_bash_completes_commands_recipes_options_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    (tmp_path / "seven.wav").touch()
    assert completed(script, "ex", folder=tmp_path) == ["export", "exits"]
    assert completed(script, "train", "fsdd-delays:s", folder=tmp_path) == ["fsdd-delays:small"]
    assert completed(script, "exits", "r", folder=tmp_path) == ["record", "report", "run"]
    assert completed(script, "sdr", "fp", "--t", folder=tmp_path) == ["--theta"]
    assert completed(script, "predict", "", folder=tmp_path)[:3] == ["cifar10", "commands", "fsdd"]
    assert completed(script, "lm", "generate", "", folder=tmp_path)[0] == completed(script, "serve", "", folder=tmp_path)[0] == "novels"
    assert completed(script, "predict", "se", folder=tmp_path) == ["seven.wav"]


def test_the_script_is_installed_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["completion", "bash", "--install"]) == 0
    assert "_dendrix" in (tmp_path / ".local/share/bash-completion/completions/dendrix").read_text()
    assert main(["completion", "zsh", "--install"]) == 0
    assert "Add to ~/.zshrc: source " in capsys.readouterr().out
    assert (tmp_path / ".zsh/dendrix-completion").read_text().startswith("autoload")


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err
