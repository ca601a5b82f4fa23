"""The command `completion`: completion of commands, recipes and options in a shell."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_type_hints

import tyro

from .output import print_json

Shell = tyro.conf.Positional[Literal["bash", "zsh"]]
_PLACES = {"bash": ".local/share/bash-completion/completions/dendrix", "zsh": ".zsh/dendrix-completion"}
"""File in the home folder; bash reads it itself."""


def completion(shell: Shell, install: bool = False, json: bool = False) -> None:
    """Print the script that completes commands, recipes and options of `dendrix` in a shell.

    Args:
        shell: bash or zsh.
        install: write the script into the home folder, and say how the shell finds it.
        json: print the path as JSON.
    """
    from .commands import COMMANDS, GROUPS  # imported late, because that file imports this one

    script = _bash(_words(COMMANDS, GROUPS))
    if shell == "zsh":
        script = f"autoload -U +X compinit bashcompinit && compinit && bashcompinit\n{script}"
    if not install:
        print(script)
        return
    from ..core.files import write_atomic

    path = Path.home() / _PLACES[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, f"{script}\n".encode())
    if json:
        print_json({"file": str(path)})
        return
    print(f"Written to {path}. " + ("Start a new bash to use it." if shell == "bash" else f"Add to ~/.zshrc: source {path}"))


def _words(commands: Mapping[str, Callable[..., Any]], groups: Mapping[str, Callable[..., Any]]) -> dict[str, list[str]]:
    """Return the words that may follow each beginning of a command line."""
    from importlib import import_module

    from ..pretrained import find_run, shipped
    from ..recipes import recipes

    found = {"": [*commands, *groups]}
    for name, command in commands.items():
        found[name] = _options(command)
    for name in groups:
        inner = import_module(f".{name}", __package__).COMMANDS
        found[name] = list(inner)
        found.update({f"{name} {word}": _options(command) for word, command in inner.items()})
    found["train"] = [listed.name for listed in recipes()]
    texts = [name for name in shipped() if (find_run(name) / "tokenizer.json").is_file()]
    others = [name for name in shipped() if name not in texts]
    for name in ("evaluate", "predict", "exits run", "exits record"):
        found[name] = [*others, *found[name]]
    for name in ("serve", "lm generate", "lm eval"):
        found[name] = [*texts, *found[name]]
    for name in ("energy", "export"):
        found[name] = [*shipped(), *found[name]]
    return found


def _options(command: Callable[..., Any]) -> list[str]:
    """Return the options of a command: all of its arguments that are not found by their position."""
    hints = get_type_hints(command, include_extras=True)
    return [
        f"--{name.replace('_', '-')}"
        for name in inspect.signature(command).parameters
        if tyro.conf.Positional not in getattr(hints[name], "__metadata__", ())
    ]


def _bash(words: Mapping[str, list[str]]) -> str:
    """Return a function of bash that offers the words after the longest known beginning of the line, and files."""
    cases = "\n".join(f'    "{start}") words="{" ".join(following)}" ;;' for start, following in words.items())
    return f"""_dendrix() {{
  local words="" start=""
  (( COMP_CWORD > 1 )) && start="${{COMP_WORDS[1]}}"
  if (( COMP_CWORD > 2 )) && [[ " {" ".join(sorted(name for name in words if " " in name))} " == *" $start ${{COMP_WORDS[2]}} "* ]]; then
    start="$start ${{COMP_WORDS[2]}}"
  fi
  case "$start" in
{cases}
  esac
  local word="${{COMP_WORDS[COMP_CWORD]}}"
  COMPREPLY=( $(compgen -W "$words" -- "$word") $(compgen -f -- "$word") )
}}
complete -o filenames -F _dendrix dendrix"""
