"""``--verbose``, for every command: what is done meanwhile, on standard error."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fallline.store import logbook

VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        help="Say on stderr what is done meanwhile; -vv in more detail.",
    ),
]
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def talking(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the option ``--verbose`` besides its own."""

    @functools.wraps(command)
    def told(*values: Any, verbose: int = 0, **options: Any) -> None:
        with logbook.shown(LEVELS[min(verbose, len(LEVELS) - 1)]):
            command(*values, **options)

    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(
        "verbose", inspect.Parameter.KEYWORD_ONLY, default=0, annotation=VerboseOption
    )
    told.__dict__["__signature__"] = own.replace(parameters=[*own.parameters.values(), option])
    told.__annotations__ = {**command.__annotations__, "verbose": VerboseOption}
    return told
