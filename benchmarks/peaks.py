"""The machine's peaks, by one library: products of matrices and passes over memory, float32.

A process of the kind that ``stepping.py`` describes; it answers ``multiply`` and ``stream``.
``--library``: numpy (its BLAS), xla or torch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import stepping

LIBRARIES = ("numpy", "xla", "torch")
SIZES = (1024, 2048)
"""Rows and columns of the matrices."""


def repeated(act: Callable[[], Any], seconds: float) -> float:
    """The shortest time of one ``act``, over trials that fill ``seconds``; one more to warm up."""
    act()
    shortest, until = float("inf"), time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        act()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


def numpy_product(size: int) -> Callable[[], Any]:
    a, b = (np.random.default_rng(at).random((size, size), np.float32) for at in range(2))
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def numpy_stream(numbers: int) -> tuple[Callable[[], Any], int]:
    """A copy: one array read, one written."""
    a, b = (np.ones(numbers // 2, np.float32) for _ in range(2))
    return lambda: np.copyto(b, a), 2 * a.nbytes


def xla_product(size: int) -> Callable[[], Any]:
    import jax

    a, b = (jax.random.normal(jax.random.key(at), (size, size)) for at in range(2))
    multiply = jax.jit(lambda a, b: a @ b)
    return lambda: multiply(a, b).block_until_ready()


def xla_stream(numbers: int) -> tuple[Callable[[], Any], int]:
    """A triad in place: two arrays read, one of them written."""
    import jax
    import jax.numpy as jnp

    a, b = (jnp.ones(numbers // 2) for _ in range(2))
    triad = jax.jit(lambda a, b: a + 0.5 * b, donate_argnums=0)
    held = [a]

    def act() -> None:
        held[0] = triad(held[0], b).block_until_ready()

    return act, 3 * a.nbytes


def torch_product(size: int) -> Callable[[], Any]:
    import torch

    a, b = (torch.rand(size, size) for _ in range(2))
    out = torch.empty(size, size)
    return lambda: torch.mm(a, b, out=out)


def torch_stream(numbers: int) -> tuple[Callable[[], Any], int]:
    """A triad: two arrays read, a third written."""
    import torch

    a, b, out = (torch.ones(numbers // 3) for _ in range(3))
    return lambda: torch.add(a, b, alpha=0.5, out=out), 3 * out.nbytes


PRODUCTS = {"numpy": numpy_product, "xla": xla_product, "torch": torch_product}
STREAMS = {"numpy": numpy_stream, "xla": xla_stream, "torch": torch_stream}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--library", choices=LIBRARIES, default="numpy")
    library = parser.parse_args().library
    if library == "torch":
        import torch

        torch.set_num_threads(1)

    def multiply(seconds: float) -> dict[str, float]:
        """GFLOP/s, the best of the sizes."""
        rates = [
            2e-9 * size**3 / repeated(PRODUCTS[library](size), seconds / len(SIZES))
            for size in SIZES
        ]
        return {"rate": max(rates)}

    def stream(seconds: float, held: int) -> dict[str, float]:
        """GB/s over arrays of ``held`` bytes together."""
        act, moved = STREAMS[library](held // 4)
        return {"rate": 1e-9 * moved / repeated(act, seconds)}

    stepping.answer(library, "", {"multiply": multiply, "stream": stream})


if __name__ == "__main__":
    main()
