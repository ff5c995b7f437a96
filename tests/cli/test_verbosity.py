"""``--verbose``: every command has it, and it shows what is asked for and no more."""

from __future__ import annotations

import logging

import pytest
import typer
from typer.testing import CliRunner

from fallline.cli.app import app
from fallline.cli.verbosity import talking
from fallline.store import logbook


def _said(*arguments: str) -> tuple[str, str]:
    """What a command that has something to say writes to stdout and stderr."""

    def work(what: str) -> None:
        logbook.tell("detail", level=logging.DEBUG)
        logbook.tell("course")
        print(what)

    own = typer.Typer()
    own.command()(talking(work))
    done = CliRunner().invoke(own, ["done", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_every_command_has_the_option() -> None:
    for name, command in typer.main.get_command(app).commands.items():
        assert {"-v", "--verbose"} in [set(each.opts) for each in command.params], name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ""),
        (("-v",), "fallline: course\n"),
        (("--verbose",), "fallline: course\n"),
        (("-vv",), "fallline: detail\nfallline: course\n"),
        (("-vvv",), "fallline: detail\nfallline: course\n"),
    ],
)
def test_stderr_has_what_was_asked_for_and_stdout_the_result(
    options: tuple[str, ...], expected: str
) -> None:
    assert _said(*options) == ("done\n", expected)
