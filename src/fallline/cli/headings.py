"""The lines above the studies of a suite or a series, with the time left of all."""

from __future__ import annotations

import time
from typing import Any

LEAST_SHARE = 0.02
"""Of all studies, before the time left is worth telling."""


class Headings:
    """Words for a study that begins, by when the first one began that had to be trained."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._share = 0.0

    def of(self, event: Any) -> str:
        """Of an event with ``number``, ``known``, ``title``, ``stored`` and ``share_done``."""
        heading = f"[{event.number}/{event.known}] {event.title}"
        if event.stored:
            return f"{heading}: stored already"
        if self._began is None:
            self._began, self._share = time.monotonic(), event.share_done
        return f"{heading}{self._left(self._began, event.share_done)}"

    def _left(self, began: float, share: float) -> str:
        from fallline.cli.progress import duration_text

        done = share - self._share
        if done < LEAST_SHARE:
            return ""
        seconds = (time.monotonic() - began) * (1 - share) / done
        return f" (about {duration_text(seconds)} left in all)"
