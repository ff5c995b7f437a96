"""Jobs side by side: each in a thread of its own, on devices of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from fallline.engine.devices import Devices

Tell = Callable[[Any], None]


class Stopped(BaseException):
    """Raised in a job out of what it tells: another one failed, or the user stops all of them.

    No Exception: it is not an error, and nobody who mends errors should take it for one.
    """


@dataclass(frozen=True, eq=False)
class Job:
    """Work for so many devices. It tells what happens, and lets what telling raises end it."""

    about: Any
    """What whoever is told of it wants to know."""
    devices: int
    work: Callable[[Devices, Tell], object]


class Watch(Protocol):
    """Who is told of the jobs, in the thread that waits for them."""

    def began(self, job: Job) -> None:
        """The job has its devices."""

    def told(self, job: Job, event: Any) -> None:
        """The job tells something."""

    def ended(self, job: Job) -> None:
        """The job is done."""


def work(jobs: Sequence[Job], devices: Devices, watch: Watch) -> None:
    """Do all ``jobs``, in their order as far as there are devices free for them.

    A job that wants all devices has them in the calling thread; any other has its share in a
    thread of its own. Whatever ends this early (an error of a job or of the watch, Ctrl-C), every
    job is stopped by what it tells next, and on return none is at work; who came to its end by
    then is told as ended.
    """
    waiting = list(jobs)
    with ThreadPoolExecutor(devices.count) as threads:
        crew = _Crew(devices, watch, threads)
        try:
            while waiting or crew.at_work:
                job = next(filter(crew.fits, waiting), None)
                if job is None:
                    crew.listen()
                else:
                    waiting.remove(job)
                    crew.begin(job)
        except BaseException:
            crew.stop()
            raise


@dataclass
class _Crew:
    """The jobs that are at work, and the devices that are not."""

    devices: Devices
    watch: Watch
    threads: ThreadPoolExecutor
    at_work: dict[Job, tuple[Future[object], list[Any]]] = field(default_factory=dict)
    _said: queue.SimpleQueue[tuple[Job, Any]] = field(default_factory=queue.SimpleQueue)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._free = list(self.devices.mesh.devices.flat)

    def fits(self, job: Job) -> bool:
        """Whether the job can begin now."""
        return min(job.devices, self.devices.count) <= len(self._free)

    def begin(self, job: Job) -> None:
        """Give the job its devices; one that wants them all is done on return."""
        self.watch.began(job)
        if job.devices >= self.devices.count:
            job.work(self.devices, lambda event: self.watch.told(job, event))
            self.watch.ended(job)
            return
        taken, self._free = self._free[: job.devices], self._free[job.devices :]
        future = self.threads.submit(job.work, Devices.of(taken), self._teller(job))
        self.at_work[job] = future, taken
        future.add_done_callback(lambda future: self._said.put((job, future)))

    def _teller(self, job: Job) -> Tell:
        """How a job in a thread tells: it is stopped once, and heard on its way out too."""
        stopped = False

        def tell(event: Any) -> None:
            nonlocal stopped
            self._said.put((job, event))
            if self._stopping.is_set() and not stopped:
                stopped = True
                raise Stopped

        return tell

    def listen(self) -> None:
        """Wait for what a job in a thread says next; raises what made it fail."""
        job, said = self._said.get()
        if not isinstance(said, Future):
            self.watch.told(job, said)
            return
        _, taken = self.at_work.pop(job)
        self._free += taken
        said.result()
        self.watch.ended(job)

    def stop(self) -> None:
        """Stop the jobs in threads, wait until they have stored what they keep, and tell of it."""
        self._stopping.set()
        for job, (future, _) in self.at_work.items():
            if future.exception() is None:
                self.watch.ended(job)
        while not self._said.empty():
            job, said = self._said.get()
            if not isinstance(said, Future):
                self.watch.told(job, said)
