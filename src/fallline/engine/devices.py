"""The machine as JAX sees it: one device per CPU core, compilations cached on disk."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs
import threadpoolctl
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


def _one_thread_for_decompositions() -> None:
    """The same for SciPy's LAPACK, which JAX calls: its threads would wait for each other.

    With them `fallline compare digits-mlp --optimizers shampoo` took eight times as long.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # where it is still to be loaded
    for library in threadpoolctl.ThreadpoolController().lib_controllers:
        if "scipy" in library.filepath:
            library.set_num_threads(1)


@cache
def prepare() -> None:
    """Set JAX up for populations; must come before JAX's first use to have its full effect.

    Where a program has used JAX already, its devices are taken as they are.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        # A device per core: a second pool of threads inside each product would fight over them.
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    _one_thread_for_decompositions()
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
    """The devices that a population is spread over: a mesh with the axes ``runs, examples``.

    Runs lie along the first axis; along the second lie the devices that share every step of a
    run, each with its part of the batch (one, unless there are more devices than runs).
    """

    mesh: Mesh

    @classmethod
    def all(cls) -> Devices:
        prepare()
        return cls.of(jax.devices())

    @classmethod
    def first(cls, count: int) -> Devices:
        """The first ``count`` devices, for one run, or for comparing layouts."""
        prepare()
        return cls.of(jax.devices()[:count])

    @classmethod
    def of(cls, devices: Sequence[Any], *, shards: int = 1) -> Devices:
        """These devices, ``shards`` of them for every run."""
        grid = np.asarray(devices, dtype=object).reshape(-1, shards)
        return cls(Mesh(grid, ("runs", "examples")))

    def shared_by(self, shards: int) -> Devices:
        """The same devices with ``shards`` of them (a divisor of their number) for every run."""
        return self.of(list(self.mesh.devices.flat), shards=shards)

    @property
    def count(self) -> int:
        """The places for runs: the devices, or the teams of devices that share a run."""
        return self.mesh.devices.shape[0]

    @property
    def shards(self) -> int:
        """The devices that share every step of a run."""
        return self.mesh.devices.shape[1]

    @property
    def platform(self) -> str:
        return self.mesh.devices.flat[0].platform

    @property
    def maps_runs(self) -> bool:
        """True where runs go one after the other on a device (CPU): each stays in its cache."""
        return self.platform == "cpu"

    def memory(self) -> int:
        """Bytes that one device has for fallline: of a CPU, its share of what is free."""
        stats = self.mesh.devices.flat[0].memory_stats() or {}
        if "bytes_limit" in stats:
            return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
        return free_memory() // self.mesh.devices.flat[0].client.device_count()

    def peak_memory(self) -> int:
        """The most bytes in use so far: on the devices, or of this process where they share it."""
        peaks = [
            (device.memory_stats() or {}).get("peak_bytes_in_use", 0)
            for device in self.mesh.devices.flat
        ]
        return int(sum(peaks)) if any(peaks) else peak_memory_of_process()

    def shared(self, tree: Any) -> Any:
        """``tree``'s arrays, whole on every device."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))

    def shapes(self, tree: Any) -> Any:
        """``tree``'s shapes as those of arrays that are whole on every device."""
        sharding = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
        )

    @property
    def by_runs(self) -> NamedSharding:
        """How arrays lie whose first axis counts runs."""
        return NamedSharding(self.mesh, PartitionSpec("runs"))

    def split(self, tree: Any) -> Any:
        """``tree``'s arrays, their first axis (runs) spread over the devices."""
        return jax.device_put(tree, self.by_runs)


def free_memory() -> int:
    """Bytes of main memory that this process may still take, a container's limit included."""
    info = Path("/proc/meminfo")
    if not info.is_file():
        pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 19
        return pages * 4096 // 2
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip() != "max":
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(0, free)


def peak_memory_of_process() -> int:
    """The most bytes of main memory that this process has held; 0 where no system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def machine() -> dict[str, Any]:
    """The machine in words and numbers, without its name."""
    devices = Devices.all()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": usable_cores(),
        "devices": devices.count,
        "platform": devices.platform,
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
