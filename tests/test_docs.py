"""The documentation is true: its Python runs, its commands and options exist, its links resolve."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fallline import optimizers as catalogue
from fallline import tasks
from fallline.cli.app import app
from fallline.optimizers import catalogue as entries

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = {DOCS / "cli.md", DOCS / "tasks.md", *(DOCS / "optimizers").glob("*.md")}
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
WRITTEN = [
    DOCS / f"{name}.md"
    for name in (
        "index",
        "compare",
        "your-own",
        "train",
        "trace",
        "landscape",
        "studies",
        "study-format",
    )
]
OPTIONAL = ("duckdb",)
"""Packages that a page shows and fallline does not need: their blocks run where they are there."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page that are marked as ``language``."""
    return [text for mark, text in _FENCE.findall(path.read_text("utf-8")) if mark == language]


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", path.read_text("utf-8"))


def commands(text: str) -> Iterator[list[str]]:
    """The ``fallline`` command lines of a console block, as words."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if line.startswith("$ fallline"):
            yield shlex.split(line.removeprefix("$ "), comments=True)


def group() -> Any:
    return typer.main.get_command(app)


def options_of(command: Any) -> set[str]:
    return {
        name
        for each in command.params
        if each.param_type_name == "option"
        for name in (*each.opts, *each.secondary_opts)
        if name.startswith("--")
    } | {"--help"}


def generator() -> ModuleType:
    """docs/generate.py as a module of its own."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_python(path: Path, folder: Path) -> str:
    """Run the Python blocks of a page in one namespace; returns what they printed."""
    space: dict[str, Any] = {"__name__": "page"}
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        for number, text in enumerate(blocks(path, "python"), start=1):
            wanted = [name for name in OPTIONAL if f"import {name}" in text]
            if all(importlib.util.find_spec(name) for name in wanted):
                exec(compile(text, f"{path.name}, Python block {number}", "exec"), space)
    return printed.getvalue()


def test_pages_that_are_expected_exist() -> None:
    assert all(path.is_file() for path in WRITTEN)
    assert {path.stem for path in GENERATED} >= {"cli", "tasks", "index", *catalogue.names()}


def test_generated_pages_are_up_to_date(data_dir: Path) -> None:
    command = [sys.executable, str(DOCS / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_generator_writes_checks_and_removes(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module, made = generator(), {"cli.md": "commands\n", "optimizers/adam.md": "a sheet\n"}
    monkeypatch.setattr(module, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(module, "pages", lambda: made)
    assert module.main([]) == 0
    assert (tmp_path / "docs" / "cli.md").read_text("utf-8") == "commands\n"
    capsys.readouterr()
    assert module.main([]) == 0
    assert module.main(["--check"]) == 0
    assert capsys.readouterr().out == ""

    (tmp_path / "docs" / "cli.md").write_text("old\n", "utf-8")
    (tmp_path / "docs" / "optimizers" / "adam.md").unlink()
    stray = tmp_path / "docs" / "optimizers" / "adamant.md"
    stray.write_text("gone\n", "utf-8")
    assert module.main(["--check"]) == 1
    told = capsys.readouterr().out
    assert all(name in told for name in ("cli.md", "adam.md", "adamant.md"))
    assert stray.is_file(), "a check changes nothing"
    assert module.main([]) == 0
    assert not stray.exists()
    assert module.main(["--check"]) == 0
    assert module.main(["--chek"]) == 2


def test_command_page_has_every_option_that_help_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    page = (DOCS / "cli.md").read_text("utf-8")
    for name, command in group().commands.items():
        section = page.split(f"## `fallline {name}`")[1].split("\n## ")[0]
        shown = CliRunner().invoke(app, [name, "--help"]).output
        listed = set(_OPTION.findall(shown.split("Options:")[1]))
        assert options_of(command) <= listed
        rows = "".join(line for line in section.splitlines() if line.startswith("| `--"))
        assert set(_OPTION.findall(rows)) >= options_of(command) - {"--help"}


def test_optimizer_pages_hold_the_sheets() -> None:
    for each in map(catalogue.get, catalogue.names()):
        text = (DOCS / "optimizers" / f"{each.name}.md").read_text("utf-8")
        assert each.equation.strip("\n") in text
        assert each.citation.bibtex in text
        for parameter in each.hyperparameters:
            assert re.search(
                rf"^\| `{parameter.name}` \|.*\| {re.escape(f'{parameter.default:g}')} \|",
                text,
                re.MULTILINE,
            )
        for option in each.options:
            assert f"| `{option.name}` | `{option.default!r}` |" in text


def test_every_optimizer_and_wrapper_shows_what_it_was_compared_with() -> None:
    held = json.loads((DOCS / "optimizers" / "proofs.json").read_text("utf-8"))["proofs"]
    by_hand = {name for name, found in held.items() if any("by hand" in each[0] for each in found)}
    assert set(catalogue.names()) <= by_hand
    around = {name.split("+")[-1] for name in by_hand if "+" in name}
    assert {each.name for each in catalogue.wrappers()} <= around
    for found in held.values():
        assert all(error <= allowed for _, error, allowed in found)
    for name in catalogue.names():
        text = (DOCS / "optimizers" / f"{name}.md").read_text("utf-8")
        assert all(f"| {against} |" in text for against, _, _ in held[name])


def test_task_page_has_every_task(data_dir: Path) -> None:
    text = (DOCS / "tasks.md").read_text("utf-8")
    for name in tasks.names():
        section = text.split(f"## `{name}`")[1].split("\n## ")[0]
        assert f"| parameters | {tasks.definition(name).parameters:,} |" in section


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_console_commands_parse(path: Path) -> None:
    for text in blocks(path, "console"):
        for words in commands(text):
            top = group()
            if len(words) == 1 or words[1].startswith("--"):
                assert set(words[1:]) <= options_of(top)
                continue
            assert words[1] in top.commands, words
            command = top.commands[words[1]]
            command.make_context(words[1], words[2:], resilient_parsing=False).close()
            if "--optimizers" in words:
                catalogue.resolve(words[words.index("--optimizers") + 1])
            if "--optimizer" in words:
                _complete(words)


def _complete(words: list[str]) -> None:
    """Raise unless the optimizer has every hyper-parameter that a command sets."""
    chosen = catalogue.get(words[words.index("--optimizer") + 1])
    given = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
    settings = {name: float(value) for name, _, value in (each.partition("=") for each in given)}
    if "--learning-rate" in words:
        settings["learning_rate"] = float(words[words.index("--learning-rate") + 1])
    chosen.complete(settings)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_options_that_a_page_names_exist(path: Path) -> None:
    top = group()
    known = options_of(top).union(*(options_of(each) for each in top.commands.values()))
    for span in _SPAN.findall(prose(path)):
        words = span.split()
        if words[0] == "fallline" and len(words) > 1 and words[1] in top.commands:
            assert set(_OPTION.findall(span)) <= options_of(top.commands[words[1]]), span
        elif words[0].startswith("--"):
            assert set(_OPTION.findall(words[0])) <= known, span


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_relative_links_resolve(path: Path) -> None:
    for link in _LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{named(path)} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{named(path)} links to {link}: no such heading"


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_no_page_holds_a_placeholder(path: Path) -> None:
    assert not re.search(r"@[A-Z]+@", path.read_text("utf-8"))


@pytest.mark.parametrize("path", [*WRITTEN, DOCS / "optimizers" / "index.md"], ids=named)
def test_python_on_a_page_runs(
    path: Path, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page may register an optimizer of its own: not for the tests after it.
    monkeypatch.setattr(entries, "_ENTRIES", dict(entries._ENTRIES))
    given = blocks(path, "python")
    expects_output = any("print(" in text for text in given)
    with warnings.catch_warnings():
        # What another library says of itself is not the page's.
        warnings.simplefilter("ignore", DeprecationWarning)
        assert bool(run_python(path, tmp_path)) == expects_output
