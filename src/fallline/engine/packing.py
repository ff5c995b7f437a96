"""When runs that are left over are packed together again, and where each goes.

Runs end at different times: early stopping, divergence, budgets of different lengths. As long as
others wait their places are filled at once; when nobody waits any more the rest is packed.
"""

from __future__ import annotations

from collections.abc import Sequence

MARGIN = 2.0
"""Packing must save this many times what it costs, since both are estimates."""


def dealt(count: int, places: int, devices: int) -> list[int]:
    """The places of ``count`` runs, dealt out to the devices in turn.

    A device holds ``places // devices`` neighbouring places.
    """
    per_device = places // devices
    return [(at % devices) * per_device + at // devices for at in range(count)]


def loads(taken: Sequence[bool], devices: int) -> list[int]:
    """The runs on each device."""
    per_device = len(taken) // devices
    return [sum(taken[at * per_device : (at + 1) * per_device]) for at in range(devices)]


def next_free(taken: Sequence[bool], devices: int) -> int | None:
    """The first free place of the device with the fewest runs; None where all are taken."""
    per_device, own_loads = len(taken) // devices, loads(taken, devices)
    device = min(range(devices), key=own_loads.__getitem__)
    own = range(device * per_device, (device + 1) * per_device)
    return next((place for place in own if not taken[place]), None)


def imbalance(taken: Sequence[bool], devices: int) -> int:
    """Runs that the fullest device has beyond what it would have were they dealt out anew."""
    own_loads = loads(taken, devices)
    return max(own_loads) - -(-sum(own_loads) // devices)


def smaller(live: int, places: int, devices: int) -> int:
    """The number of places for ``live`` runs: ``places`` halved as often as they still fit."""
    while places % (2 * devices) == 0 and places // 2 >= live:
        places //= 2
    return places


def worth(*, saved: float, cost: float) -> bool:
    """Whether packing that saves and costs so many seconds is worth it."""
    return saved > MARGIN * cost
