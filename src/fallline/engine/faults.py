"""What compiled calls raise, in words."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.engine.devices import Devices

DeviceError = jax.errors.JaxRuntimeError
"""What a compiled call raises: a device's error, or one of Python code that the call runs."""
LONGEST_REASON = 300
_TRACEBACK = "Traceback (most recent call last):"


def out_of_memory(error: Exception) -> bool:
    """Whether JAX says that memory could not be had."""
    return "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)


def reason_of(error: Exception) -> str:
    """An exception in one line; of one raised in a callback, what was raised there."""
    message = str(error).strip()
    words = " ".join(message.partition("\n\n")[0].split())
    text = f"{type(error).__name__}: {words}" if words else type(error).__name__
    frames = message.partition(_TRACEBACK)[2].splitlines()
    if isinstance(error, DeviceError) and (raised := [each for each in frames if _is_last(each)]):
        text = f"{raised[0]} (raised in a callback)"
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def require(devices: Devices) -> None:
    """Raise what the devices report where they do not even add numbers any more."""
    np.asarray(devices.shared(np.zeros(1, np.float32)) + 1)


def forget_callbacks(devices: Devices) -> None:
    """Have JAX not raise errors of callbacks again when the process ends.

    It does so for the last callback of every device, so here is one that succeeds.
    """

    def same(x: Any) -> Any:
        return x

    def called(x: jax.Array) -> jax.Array:
        return jax.pure_callback(same, jax.ShapeDtypeStruct((), x.dtype), x)

    for device in devices.mesh.devices.flat:
        jax.block_until_ready(jax.jit(called)(jax.device_put(jnp.zeros(()), device)))


def _is_last(line: str) -> bool:
    """Whether a line of a traceback says what was raised, and not where."""
    return bool(line) and not line.startswith(" ")
