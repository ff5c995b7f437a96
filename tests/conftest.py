"""What the tests share: where the real data and the golden records are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def pytest_configure(config: pytest.Config) -> None:
    """Programs compiled by the tests are kept beside the repository's other caches."""
    os.environ.setdefault("FALLLINE_CACHE", str(ROOT / ".pytest_cache" / "fallline"))
    os.environ.setdefault("FALLLINE_DATA", str(SHARED / "data"))


@pytest.fixture(scope="session", autouse=True)
def _all_cores() -> None:
    """One device per core, before any test uses JAX."""
    from fallline.engine.devices import prepare

    prepare()


def _existing(path: Path, what: str) -> Path:
    assert path.is_dir(), f"{what} are looked for in {path}, which is not there"
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with mnist/, fashion-mnist/ and wine/."""
    return _existing(Path(os.environ.get("FALLLINE_DATA", SHARED / "data")), "the data sets")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The folder with the trajectories that other frameworks recorded."""
    return _existing(Path(os.environ.get("FALLLINE_GOLDEN", SHARED / "golden")), "golden records")
