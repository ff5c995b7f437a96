"""Who has which place: hand-worked cases."""

from __future__ import annotations

import pytest

from fallline.engine import packing

YES, NO = True, False


def test_runs_are_dealt_to_the_devices_in_turn() -> None:
    # Two devices of three places: 0, 1, 2 and 3, 4, 5.
    assert packing.dealt(5, 6, 2) == [0, 3, 1, 4, 2]


def test_the_next_place_is_on_the_device_with_the_fewest_runs() -> None:
    assert packing.next_free([YES, YES, NO, YES, NO, NO], 2) == 4
    assert packing.next_free([NO, YES, NO, YES, NO, NO], 2) == 0
    assert packing.next_free([YES] * 4, 2) is None


def test_imbalance_counts_what_dealing_anew_would_spare() -> None:
    assert packing.imbalance([YES, YES, YES, NO, NO, NO], 2) == 1  # 3 and 0: 2 and 1
    assert packing.imbalance([YES, YES, NO, YES, NO, NO], 2) == 0  # 2 and 1 already
    assert packing.imbalance([YES] * 4 + [NO] * 4, 2) == 2


@pytest.mark.parametrize(
    ("live", "places", "devices", "expected"),
    [(8, 8, 1, 8), (4, 8, 1, 4), (3, 8, 1, 4), (1, 8, 1, 1), (1, 8, 2, 2), (2, 6, 2, 6)],
)
def test_places_are_halved_as_long_as_the_runs_fit(
    live: int, places: int, devices: int, expected: int
) -> None:
    assert packing.smaller(live, places, devices) == expected


def test_packing_must_save_clearly_more_than_it_costs() -> None:
    assert packing.worth(saved=3.0, cost=1.0)
    assert not packing.worth(saved=1.5, cost=1.0)
