"""The machine as JAX is told to see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = """
import json
{before}
from fallline.engine.devices import prepare
prepare()
import numpy as np
import jax.numpy as jnp
jnp.linalg.eigh(np.eye(4, dtype=np.float32))
import threadpoolctl
print(json.dumps([
    each["num_threads"] for each in threadpoolctl.threadpool_info()
    if each["internal_api"] == "openblas" and "scipy" in each["filepath"]
]))
"""


def threads(before: str) -> list[int]:
    """Threads of SciPy's LAPACK in a fresh process, where ``before`` ran first."""
    command = [sys.executable, "-c", SCRIPT.format(before=before)]
    plain = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=plain)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_decompositions_have_one_thread_for_each_device() -> None:
    assert set(threads("")) == {1}


def test_also_where_scipy_was_there_before() -> None:
    assert set(threads("import scipy.linalg")) == {1}
