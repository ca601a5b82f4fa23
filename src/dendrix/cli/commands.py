"""The commands of `dendrix`. Each one imports torch when it runs, so that `dendrix --help` is fast."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ..checks import not_one_of, shown, suggestion
from ..errors import InputError, InputTypeError, MisuseError
from ..recipes import find_recipe, own_recipe
from .compilation import announced_compilation, warmup
from .completion import completion
from .convert import convert
from .energy import energy
from .errors import Terminated, expect_output, sentence, sigterm_interrupts
from .export import export
from .listen import listen
from .listing import list_recipes
from .lm import finetuning
from .output import print_json, trust_option
from .page import page
from .parse import STYLE, choose, parsed
from .serve import serve
from .sweep import sweep
from .trained import evaluate, predict, report, report_of_training

Name = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")]
DataName = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
Published = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
PROFILED = ("fsdd-delays", "commands-delays", "commands-delays:axonal", "shd-delays", "cifar10-qcfs-vgg-small", "spikegpt-small")
"""Recipes that `dendrix bench --profile` profiles unless others are named."""
OK, FAILED, MISUSED, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
_HELP = """Sparse and spiking computation: networks with learned delays, early exits, and the theory of sparse codes.

Start with `dendrix demo` and `dendrix predict fsdd FILE.wav`. Then `dendrix list`, `dendrix train fsdd-delays` and `dendrix evaluate RUN`.
--version prints the version; --debug shows the traceback of an error; --allow NAME=NUMBER raises a limit that an error names.
Exit codes: 0 success, 1 failure, 2 invalid command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error prints one sentence on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        if words == ["--version"]:
            print(f"dendrix {metadata.version('dendrix')}")
            return OK
        words, allowed = _without_allow(words)
        expect_output()
        with sigterm_interrupts(), _allowing(allowed), announced_compilation():
            _run(words)
            sys.stdout.flush()
    except SystemExit as done:  # tyro has printed help
        return done.code if isinstance(done.code, int) else FAILED
    except KeyboardInterrupt as stop:
        print(f"dendrix: {str(stop) or 'interrupted.'}", file=sys.stderr)
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has ended; the rest of the output is discarded
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            raise
        print(f"dendrix: {sentence(error)}", file=sys.stderr)
        return MISUSED if isinstance(error, MisuseError) else FAILED
    return OK


def _without_allow(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without `--allow NAME=NUMBER`, which every command takes, and what is allowed."""
    kept, allowed, rest = list[str](), list[str](), iter(words)
    for word in rest:
        name, mark, value = word.partition("=")
        if name != "--allow":
            kept.append(word)
        elif found := value if mark else next(rest, ""):
            allowed.append(found)
        else:
            raise MisuseError("--allow: expected NAME=NUMBER, such as events=1e9, got nothing.")
    return kept, allowed


@contextlib.contextmanager
def _allowing(allowed: list[str]) -> Iterator[None]:
    if not allowed:
        yield
        return
    from ..core.limits import allowing  # loads torch

    with contextlib.ExitStack() as limits:
        try:
            limits.enter_context(allowing(",".join(allowed)))
        except InputError as error:
            raise MisuseError(str(error)) from error
        yield


def _run(words: list[str]) -> None:
    if words[:1] == ["train"] and len(words) > 1 and not words[1].startswith("-"):
        _train(words[1], words[2:])
    elif words[:2] == ["lm", "finetune"] and len(words) > 2 and not words[2].startswith("-"):
        _train(*finetuning(words[2], words[3:]))
    elif words and words[0] in GROUPS:
        group = import_module(f".{words[0]}", __package__)
        choose(group.COMMANDS, words[1:], f"dendrix {words[0]}", group.__doc__ or "")()
    else:
        choose({**COMMANDS, **GROUPS}, words, "dendrix", _HELP)()


def demo(out: Path = Path("demo"), epochs: int | None = None) -> None:
    """Train small networks on digits without, with random and with learned delays, and compare them (under 3 minutes).

    Args:
        out: folder for the figures and the three runs.
        epochs: passes over the data; by default those of the recipe.
    """
    from ..reproduce.demo import compare

    results = compare(out, epochs)
    table = Table(title="Handwritten digits as spikes, row by row")
    for column in ("delays", "test accuracy", "trained parameters", "seconds"):
        table.add_column(column, justify="left" if column == "delays" else "right")
    for row in results:
        table.add_row(row.title, f"{row.accuracy:.1%}", f"{row.parameters:,}", f"{row.seconds:.0f}")
    console = Console()
    console.print(table)
    console.print(f"Open [bold]{out / 'index.html'}[/bold], which explains the figures. Next: dendrix list")


def train(recipe: Name) -> None:
    """Train a recipe: `dendrix train fsdd-delays`. `dendrix train fsdd-delays --help` lists all settings.

    Args:
        recipe: name from `dendrix list`, or your own file, my_recipe.py or my_recipe.py:variant.
    """
    _train(recipe, [])


def _train(name: str, options: list[str]) -> None:
    try:
        function = find_recipe(name)
    except (InputError, InputTypeError) as error:
        raise MisuseError(str(error)) from error
    from ..core.foreign import reason
    from ..run_folder.record import is_text
    from ..train.command import TrainRun, summary, train_run
    from ..train.distributed.processes import first_process

    start = TrainRun(function())
    try:
        chosen, unknown = parsed(
            lambda: tyro.cli(
                TrainRun,
                default=start,
                args=options,
                return_unknown_args=True,
                prog=f"dendrix train {name}",
                description=f"Train {name}. {function.__doc__ or ''}",
                config=(*STYLE, tyro.conf.AvoidSubcommands),
            )
        )
    except NameError as error:  # an annotation in a file of the user's
        raise InputError(f"{name}: expected fields whose types can be read, got {reason(error)} Import what they name.") from error
    if unknown:
        option = unknown[0].split("=")[0]
        hint = suggestion(option, _options(start))
        raise MisuseError(f"expected an option of `dendrix train {name} --help`, got '{option}'.{hint}")
    record, folder = train_run(chosen, Path(name).stem if own_recipe(name) else name)
    if not first_process():
        return
    file = name.partition(":")[0] if own_recipe(name) else None
    if chosen.report:
        report_of_training(folder, file)
    if chosen.json:
        print_json({"folder": str(folder), **record})
        return
    print(summary(record))
    following = f"lm eval {folder} FILE" if is_text(record["recipe"]) else f"evaluate {folder}{trust_option(name)}"
    print(f"Saved in {folder}. Next: dendrix {following}")


def fetch(name: DataName, data_dir: Path | None = None, json: bool = False) -> None:
    """Download, verify and unpack a data set, unless it exists. An interrupted download continues.

    Args:
        name: shd, ssc, speech-commands, nmnist or mnist.
        data_dir: folder for the data, created if missing; by default the one that DENDRIX_DATA names.
        json: print the paths as JSON.
    """
    from ..data import fetch as download
    from ..data.download import ELSEWHERE, REMOTES

    if name not in REMOTES and name not in ELSEWHERE:
        raise MisuseError(not_one_of(name, REMOTES, "name"))
    paths = download(name, data_dir)
    if json:
        print_json([str(path) for path in paths])
        return
    print("\n".join(map(str, paths)))


def info(json: bool = False) -> None:
    """Check the installation, and show versions, device, kernels and data, for a bug report.

    Args:
        json: print JSON.
    """
    from .info import advice, describe

    facts = describe()
    if json:
        print_json({**facts, "advice": advice(facts)})
        return
    table = Table(show_header=False)
    for name, value in facts.items():
        table.add_row(name, "\n".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
    Console().print(table)
    print("\n".join(f"- {sentence}" for sentence in advice(facts)) or "Everything was found.")


def bench(
    wanted: tyro.conf.Positional[tuple[str, ...]] = (),
    threads: tuple[int, ...] | None = None,
    quick: bool = False,
    against: Path | None = None,
    profile: bool = False,
    tables: bool = False,
    smoke: bool = False,
    out: Path | None = None,
    json: bool = False,
    explain: bool = False,
    batch: int | None = None,
    pythons: tuple[str, ...] = (),
    limit_s: int = 120,
    runs: tuple[Path, ...] = (),
) -> None:
    """Measure speed and memory beside other libraries, after checking that their results agree.

    Args:
        wanted: groups or cases (lif, delay, step, train, convert, sdr, growth, exits); by default all, except decode, nir
            (files and graphs of NIR in other libraries), serve and sessions. With --profile: recipes.
        threads: numbers of threads to measure with; by default 1 and 2, and 1 with --profile. Not for --quick.
        quick: time dendrix alone on one thread in under three minutes, to compare the code before and after a change.
        against: with --quick, the file of an earlier --quick --out; prints faster, slower or within noise for each case. With --profile,
            profile.json of earlier code, shown beside the new one.
        profile: profile training steps of recipes, per operation.
        tables: only write the tables of the records in --out again.
        smoke: use small sizes, to check that everything runs and agrees; the ratios are not meaningful.
        out: folder for the results; with --quick, a JSON file.
        json: print JSON.
        explain: also print which kernels ran, or why the reference implementation did.
        batch: batch size of the whole training step.
        pythons: for nir, interpreters of other environments that have some of the libraries.
        limit_s: for nir, seconds after which a file in a library counts as not finished.
        runs: for decode, trained language models with spikes before their products, measured on a text instead of untrained ones.
    """
    from ..bench import run, run_profile, run_quick, write_tables

    if len(modes := [f"--{name}" for name, on in dict(quick=quick, profile=profile, tables=tables, smoke=smoke).items() if on]) > 1:
        raise MisuseError(f"{modes[0]}: expected one of these options, got also {', '.join(modes[1:])}. Leave out the others.")
    if against and not (quick or profile):
        raise MisuseError("--against: expected --quick or --profile with it, got neither. Add one.")
    limit = None if limit_s == 120 else limit_s
    given = dict(
        wanted=wanted or None,
        threads=threads,
        json=json,
        explain=explain,
        batch=batch,
        pythons=pythons or None,
        limit_s=limit,
        runs=runs or None,
    )
    taken = {"--quick": ("wanted", "json"), "--profile": ("wanted", "threads", "json"), "--tables": ()}
    for mode in modes:
        for name, value in given.items():
            if value is not None and value is not False and name not in taken.get(mode, given):
                what = "names" if name == "wanted" else f"--{name.replace('_', '-')}"
                raise MisuseError(f"{mode}: expected no {what} with it, got {shown(value)}. Leave {what} out.")
    if tables:
        print("\n".join(map(str, write_tables(out or Path("benchmarks")))))
    elif quick:
        run_quick(wanted, out, against, json)
    elif profile:
        run_profile({name: find_recipe(name)() for name in wanted or PROFILED}, threads or (1,), out, against, json)
    else:
        run(wanted, threads or (1, 2), smoke, out, json, explain, batch, pythons, limit_s, runs)


def reproduce(name: Published, out: Path | None = None, epochs: int | None = None, jobs: int = 1, json: bool = False) -> None:
    """Reproduce a published result or a study, and check every quoted number. The exit code is 1 if a check fails.

    Args:
        name: name of the result, such as `sdr` (Ahmad & Hawkins 2016) or `shd-delays` (DCLS-Delays, as published and clean).
        out: folder for the page, figures and runs; by default reproduce/NAME.
        epochs: number of epochs of each training instead of the full number; such a trial checks nothing.
        jobs: number of parallel trainings, each in a process with one thread.
        json: print the checks as JSON.
    """
    from ..reproduce import REPRODUCTIONS
    from ..reproduce import reproduce as run

    if name not in REPRODUCTIONS:
        raise MisuseError(not_one_of(name, REPRODUCTIONS, "name"))
    folder = out or Path("reproduce") / name
    checked = run(name, folder, epochs, jobs)
    if json:
        print_json([dataclasses.asdict(result) for result in checked])
    else:
        table = Table("where", "claim", "published", "computed", "verdict", title=REPRODUCTIONS[name])
        for result in checked:
            table.add_row(result.where, result.says, result.published, f"{result.computed:.10g}", result.verdict)
        Console().print(table)
        print(f"Page, figures and runs are in {folder}.")
    if failed := [result.call for result in checked if result.passed is False]:
        raise InputError(
            f"{name}: expected every check to pass, but {len(failed)} of {len(checked)} failed: {', '.join(failed)}. See {folder}."
        )


def sdr() -> None:
    """Error rates of sparse codes and dendritic segments, inverse design and simulation; see `dendrix sdr --help`."""


def exits() -> None:
    """Early exits: record outputs, fit an exit rule, report on it, run it; see `dendrix exits --help`."""


def lm() -> None:
    """Language models: score texts, generate, fine-tune; see `dendrix lm --help`."""


def nir() -> None:
    """Networks of other spiking libraries as NIR files: check, import; see `dendrix nir --help`."""


def teach() -> None:
    """Words taught by example: add, report, list, rename, merge; see `dendrix teach --help`."""


COMMANDS: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "train": train,
    "sweep": sweep,
    "evaluate": evaluate,
    "predict": predict,
    "listen": listen,
    "convert": convert,
    "energy": energy,
    "export": export,
    "report": report,
    "list": list_recipes,
    "fetch": fetch,
    "bench": bench,
    "info": info,
    "warmup": warmup,
    "completion": completion,
    "reproduce": reproduce,
    "serve": serve,
    "page": page,
}
GROUPS: dict[str, Callable[..., Any]] = {"sdr": sdr, "exits": exits, "lm": lm, "nir": nir, "teach": teach}
"""Groups of commands, each in the file of its name."""


def _options(value: Any, prefix: str = "--") -> Iterator[str]:
    """Yield the options that tyro makes of the fields of a dataclass; the fields of the recipe have no prefix."""
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        own = "" if field.name == "recipe" else field.name.replace("_", "-")
        if dataclasses.is_dataclass(inner):
            yield from _options(inner, f"{prefix}{own}." if own else prefix)
        else:
            yield prefix + own
