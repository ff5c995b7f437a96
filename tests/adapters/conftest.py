"""The users' networks, for the tests of the adapters."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

NETWORKS = Path(__file__).with_name("networks.py")


@pytest.fixture(scope="session")
def networks() -> ModuleType:
    """``networks.py``, imported once JAX is prepared."""
    spec = importlib.util.spec_from_file_location("users_networks", NETWORKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["users_networks"] = module
    spec.loader.exec_module(module)
    return module
