"""Around any optimizer, what is done to its steps: Lookahead, averages, decay, Mechanic."""

from __future__ import annotations

from fallline.optimizers.wrapping import Wrapper

ENTRIES: tuple[Wrapper, ...] = ()
