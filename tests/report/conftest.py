"""The made-up study, for every test of a report."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fallline.analysis.reading import Reading
from made_study import make


@pytest.fixture(scope="session")
def make_reading() -> Callable[..., Reading]:
    """Build a reading: ``edit(frame)`` changes the runs, other words change the document."""
    return make


@pytest.fixture(scope="session")
def reading() -> Reading:
    """The whole study."""
    return make()
