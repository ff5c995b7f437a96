"""What compiled calls raise, in one line."""

from __future__ import annotations

import jax
import pytest

from fallline.engine import faults

CALLBACK = """INTERNAL: CpuCallback error calling callback: Traceback (most recent call last):
  File "callback.py", line 816, in _wrapped_callback
  File "own.py", line 9, in boom
ValueError: the bridge is out

really"""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("no step\n  today\n\nlong story"), "RuntimeError: no step today"),
        (ValueError(), "ValueError"),
        (
            faults.DeviceError("INTERNAL: an illegal address was met"),
            "JaxRuntimeError: INTERNAL: an illegal address was met",
        ),
        (faults.DeviceError(CALLBACK), "ValueError: the bridge is out (raised in a callback)"),
        (RuntimeError("x" * 400), "RuntimeError: " + "x" * 285 + "…"),
    ],
)
def test_an_error_is_said_in_one_line(error: Exception, words: str) -> None:
    assert faults.reason_of(error) == words


def test_memory_that_could_not_be_had_is_known() -> None:
    assert faults.out_of_memory(jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 4 GB"))
    assert not faults.out_of_memory(jax.errors.JaxRuntimeError("INTERNAL: an illegal address"))
