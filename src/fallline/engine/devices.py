"""The machine as JAX sees it: one device per CPU core, compilations cached on disk."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import platformdirs
from jax.sharding import Mesh, NamedSharding, PartitionSpec

log = logging.getLogger("fallline")


def usable_cores() -> int:
    """The cores that this process may use (its affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def compilation_cache() -> Path:
    """Where compiled programs are kept between processes, apart for every JAX version."""
    from fallline import __version__

    root = os.environ.get("FALLLINE_CACHE")
    base = Path(root) if root else platformdirs.user_cache_path("fallline")
    return base / "compiled" / f"fallline-{__version__}-jax-{jax.__version__}"


@cache
def prepare() -> None:
    """Set JAX up for populations; must come before JAX's first use to have its full effect.

    Where a program has used JAX already, its devices are taken as they are.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        # A device per core: a second pool of threads inside each product would fight over them.
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(compilation_cache()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if "xla_force_host_platform_device_count" not in flags:
        try:
            jax.config.update("jax_num_cpu_devices", usable_cores())
        except RuntimeError:
            log.warning(
                "JAX was in use before fallline, so only %d of %d cores train; "
                "call fallline.prepare() first to use them all",
                len(jax.devices()),
                usable_cores(),
            )


@dataclass(frozen=True)
class Devices:
    """The devices that a population is spread over, runs along the axis ``"runs"``."""

    mesh: Mesh

    @classmethod
    def all(cls) -> Devices:
        prepare()
        return cls(Mesh(jax.devices(), ("runs",)))

    @classmethod
    def first(cls, count: int) -> Devices:
        """The first ``count`` devices, for one run, or for comparing layouts."""
        prepare()
        return cls(Mesh(jax.devices()[:count], ("runs",)))

    @property
    def count(self) -> int:
        return self.mesh.devices.size

    @property
    def platform(self) -> str:
        return self.mesh.devices.flat[0].platform

    @property
    def maps_runs(self) -> bool:
        """True where runs go one after the other on a device (CPU): each stays in its cache."""
        return self.platform == "cpu"

    def shared(self, tree: Any) -> Any:
        """``tree``'s arrays, whole on every device."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))

    def shapes(self, tree: Any) -> Any:
        """``tree``'s shapes as those of arrays that are whole on every device."""
        sharding = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
        )

    def split(self, tree: Any) -> Any:
        """``tree``'s arrays, their first axis (runs) spread over the devices."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec("runs")))
