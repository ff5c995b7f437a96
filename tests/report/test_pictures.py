"""What all pictures share: ticks whose labels have room."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from fallline.report.pictures import lay_out
from fallline.report.scales import Scale


@pytest.mark.parametrize(
    ("ticks", "shown"),
    [
        ((0.0, 1.0, 2.0, 3.0), ["0", "1", "2", "3"]),
        # The lowest alone has no room.
        ((0.7, 1.0, 2.0, 3.0), ["1", "2", "3"]),
        # Evenly too near: every second, not what happens to fit.
        ((0.0, 0.35, 0.7, 1.05, 1.4, 1.75, 2.1), ["0", "0.7", "1.4", "2.1"]),
        ((0.0, 1.4, 1.5, 3.0), ["0", "1.5", "3"]),
        ((), []),
    ],
)
def test_ticks_are_left_out_where_labels_would_touch(ticks, shown) -> None:
    axis = Figure().subplots()
    lay_out(axis, Scale("linear", 0.0, 4.0, ticks), "y", apart=0.1)
    assert [label.get_text() for label in axis.get_yticklabels()] == shown
    assert axis.get_ylim() == (0.0, 4.0)


def test_shares_are_laid_out_by_their_distance_from_one() -> None:
    axis = Figure().subplots()
    lay_out(axis, Scale("share", 0.0, 0.999, (0.0, 0.9, 0.99)), "x")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0 %", "90 %", "99 %"]
    places = axis.transAxes.inverted().transform(
        axis.transData.transform([(share, 0.5) for share in (0.0, 0.9, 0.99, 0.999)])
    )
    assert places[:, 0] == pytest.approx([0, 1 / 3, 2 / 3, 1])
