"""A step taken apart: the parts are all of it, each once, and differences are taken by rounds."""

import pytest

import breakdown
import counting
from breakdown import MEASURED, Measured, Part, Piece, parts
from cases import CASES
from counting import Count
from networks import NETWORKS
from populations import Cell
from roofline import ALL, Peaks


@pytest.mark.parametrize("name", MEASURED)
def test_the_parts_do_all_operations_of_a_step(name):
    case = CASES[name]
    found = sum(part.count.operations for part in parts(case) if part.count)
    assert found == counting.operations(NETWORKS[case.network], case.batch_size)


def test_normalisation_adds_parts_and_changes_no_other():
    normed, plain = (
        {part.name: part.piece.form for part in parts(CASES[name]) if part.piece.form != "update"}
        for name in ("bn-cnn-250", "plain-cnn-250")
    )
    assert plain.items() <= normed.items()
    added = normed.keys() - plain.keys()
    assert len([each for each in added if "batch normalisation of" in each]) == 3
    assert all("batch normalisation" in each for each in added)


def test_all_blocks_and_passes_are_parts():
    names = [part.name for part in parts(CASES["bn-cnn-250"])]
    assert len([each for each in names if each.startswith("conv ")]) == 2 + 3
    assert len([each for each in names if "batch normalisation" in each]) == 5
    assert len(names) == len(set(names))


def test_a_difference_is_taken_within_its_round(monkeypatch):
    monkeypatch.setattr(breakdown.machine, "cores", lambda: 2)
    forward, both = Piece("block", (0,), "forward"), Piece("block", (0,), "weights")
    found = [Part("forward", forward, count=Count(8_000_000, 0, 0)), Part("back", both, forward)]
    cell = Cell({}, 4, 10, per_step=[5.0, 6.0])
    each = Measured(CASES["mlp-32"], cell, found, {forward: [1.0, 2.0], both: [4.0, 7.0]})
    assert each.of(found[1]) == [3.0, 5.0]
    assert each.together() == [4.0, 7.0]
    peaks = Peaks(multiply={ALL: {"numpy": [32.0, 20.0], "xla": [10.0, 16.0]}})
    rows = {name: (took, reached) for name, took, reached in breakdown.rows(peaks, each)}
    assert rows["the rest"][0] == [10.0 - 4.0, 12.0 - 7.0]
    # 8 GFLOP/s of 32 on two cores, then 4 of 20: a half and two fifths.
    reached = rows["forward"][1]
    assert (reached.share.most, reached.share.least) == (0.5, 0.4)
    assert reached.rate == 6.0
