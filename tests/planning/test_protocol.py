"""Protocols as they are written: read, written again, and refused with what was meant."""

from __future__ import annotations

import pytest

from fallline.errors import InputError
from fallline.planning.protocol import FORMS, GRID, Protocol, parse


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("grid", Protocol()),
        ("defaults", Protocol("defaults")),
        ("budget 15", Protocol("budget", trials=15)),
        ("budget:15", Protocol("budget", trials=15)),
        (" Budget  15 sobol ", Protocol("budget", trials=15)),
        ("budget:30:tpe", Protocol("budget", trials=30, method="tpe")),
        ("budget 30 halving", Protocol("budget", trials=30, halving=3)),
        ("budget:30:halving:4", Protocol("budget", trials=30, halving=4)),
        ("budget 30 sobol halving 3", Protocol("budget", trials=30, halving=3)),
        ("time 60s", Protocol("time", seconds=60)),
        ("time:60 s", Protocol("time", seconds=60)),
        ("time 1.5 min", Protocol("time", seconds=90)),
        ("time .5h", Protocol("time", seconds=1800)),
        ("self-tuning", Protocol("self-tuning")),
        ("self_tuning", Protocol("self-tuning")),
        ("self tuning", Protocol("self-tuning")),
    ],
)
def test_a_protocol_is_read_and_written_again(text: str, read: Protocol) -> None:
    assert parse(text) == read
    assert parse(str(read)) == read


def test_every_example_is_a_protocol_of_its_kind() -> None:
    assert {kind: parse(form).kind for kind, form in FORMS.items()} == {
        kind: kind for kind in FORMS
    }


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("buget 15", "unknown protocol 'buget 15'", "did you mean 'budget 15'"),
        ("selftuning", "unknown protocol", "did you mean 'self-tuning'"),
        ("xyzzy", "unknown protocol 'xyzzy'", "there are 'grid', 'defaults', 'budget 15'"),
        ("  ", "no protocol was given", "'grid'"),
        ("grid 7", "grid takes nothing more, got '7'", "--protocol grid"),
        ("budget", "does not say how many trials", "'budget 15'"),
        ("budget many", "does not say how many trials", "'budget 15'"),
        ("budget 1.5", "does not say how many trials", "'budget 15'"),
        ("budget 0", "1 to 512 trials of each optimizer, got 0", "'budget 15'"),
        ("budget -3", "got -3", "'budget 15'"),
        ("budget 513", "got 513", "'budget 15'"),
        ("budget 15 tpx", "unknown search method 'tpx'", "did you mean 'tpe'"),
        ("budget 15 tpe fast", "got '15 tpe fast'", "sobol, tpe"),
        ("budget 15 halvin", "unknown search method 'halvin'", "did you mean 'halving'"),
        ("budget 15 halving 0", "unknown search method '0'", "halving"),
        ("budget 15 halving 1", "one in 2 to 15 can go on at a rung", "'budget 30 halving'"),
        ("budget 15 halving 16", "one in 2 to 15 can go on at a rung", "'budget 30 halving'"),
        ("budget 2 halving", "with 2 trials one in 2 to 2 can go on", "'budget 30 halving'"),
        ("budget 30 tpe halving", "not with tpe", "'budget 30 halving', or 'budget 30 tpe'"),
        ("time 60s halving", "not of the protocol time", "'budget 30 halving'"),
        ("time", "does not say how long", "60s"),
        ("time soon", "does not say how long", "60s"),
        ("time -60s", "does not say how long", "60s"),
        ("time 60", "the time 60 of the protocol 'time 60' has no unit", "write time 60s, 60min"),
        ("time 60 days", "unknown unit, 'days'", "s, min and h"),
        ("time 0s", "more than 0 s, got 0 s", "'time 60s'"),
    ],
)
def test_what_is_no_protocol_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_budget_tries_more_settings_and_measures_on_more_fresh_seeds_than_a_grid() -> None:
    assert (GRID.search_seeds, GRID.final_seeds) == (3, 5)
    assert (parse("budget 15").search_seeds, parse("budget 15").final_seeds) == (1, 10)
    assert parse("time 60s").final_seeds == parse("self-tuning").final_seeds == 10
    assert [kind for kind, form in FORMS.items() if not parse(form).searches] == [
        "defaults",
        "self-tuning",
    ]


@pytest.mark.parametrize("text", ["time 1.152 min", "time 1.5e-2 min", "time 1e9 h", "time 60s"])
def test_a_time_is_read_back_to_the_last_bit(text):
    found = parse(text)
    assert parse(str(found)) == found
