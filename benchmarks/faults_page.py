"""The page's section on faults: what was done to studies, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import reporting

KILLS = "kills"
FIVE = "five"


def text(records: Sequence[Mapping[str, Any]], seed: int) -> str:
    """The section; ``records`` as ``faults.py`` has them, in the order of their kinds."""
    parts = ["## Faults", _said(records), _table(records)]
    if wrong := [each for each in records if each["wrong"]]:
        parts += ["**Not as it should be:**", _wrong(wrong)]
    parts += [
        "Every study is the same one: digits-mlp, two optimizers at two learning rates, 18 runs, "
        "trained by the command line in processes of their own, with snapshots after every call. "
        "After each fault whatever the process had acknowledged must be there; then the same "
        "command goes on, and in the end every figure of every run must be that of a study that "
        "nothing happened to, to the bit, no run twice, nothing left over, the same table and the "
        "same verdict. `make faults` does all of it again; with "
        f"`FAULTS='--seed 1'` at other moments (this was seed {seed}).",
        reporting.origin(),
    ]
    return "\n\n".join(parts)


def _said(records: Sequence[Mapping[str, Any]]) -> str:
    total = {
        name: sum(each[name] for each in records)
        for name in ("injected", "survived", "lost", "doubled")
    }
    lines = [_kills([each for each in records if each["kind"].startswith("SIGKILL")])]
    lines.append(
        f"In all {total['injected']} faults were caused, {total['survived']} survived: "
        f"{total['lost']} runs lost, {total['doubled']} stored twice."
    )
    return " ".join(line for line in lines if line)


def _kills(records: Sequence[Mapping[str, Any]]) -> str:
    if not records:
        return ""
    kills, survived = (sum(each[name] for each in records) for name in ("injected", "survived"))
    return f"Of {kills} kills {survived} were survived."


def _table(records: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for kind, own in groupby(records, key=lambda each: each["kind"]):
        for at, each in enumerate(own):
            rows.append(
                (
                    kind if not at else "",
                    each["what"],
                    *(f"{each[name]}" for name in ("injected", "survived", "lost", "doubled")),
                    each["note"],
                )
            )
    header = ["kind", "what happens", "times", "survived", "runs lost", "stored twice", ""]
    return reporting.text_table(header, rows)


def _wrong(records: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"- {each['kind']}, {each['what']}: {text}" for each in records for text in each["wrong"]
    )
