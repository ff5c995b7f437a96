"""Around any optimizer: what is done to its steps and its parameters. Lookahead, averages, decay, caution, Mechanic."""

from __future__ import annotations

from fallline.optimizers.wrapping import Wrapper

ENTRIES: tuple[Wrapper, ...] = ()
