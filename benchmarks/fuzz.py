"""Broken and hostile input for every reader: a result or an error that says what is wrong.

    python benchmarks/fuzz.py [READER ...] [--inputs 100000] [--seed 0] [--json FILE]

Inputs are good ones, damaged at random; ``fuzz_judging`` says when a reader fails. Each reader has
a process of its own, which may die of an input: that is a failure, and the next input goes to
another process. Exit code 1 if a reader failed; each failure is printed with the input that causes
it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import mmap
import multiprocessing
import random
import resource
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import reporting
from fuzz_judging import LONGEST_WAIT, MOST_KEPT, Outcome, judge
from fuzz_reader import Reader
from fuzz_readers import READERS

INPUTS = 100_000
LARGEST = 2**20
"""Bytes of an input."""
MOST_DEATHS = 20
"""Of a reader's processes, after which it is given up."""
_NUMBERS = (0, 1, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1)

# --- damage


def inputs(reader: Reader, seed: int) -> Iterator[bytes]:
    """Good inputs as they are, and then damaged ones without end; the same for a seed."""
    rng = random.Random(seed)
    good = reader.seeds()
    yield from good
    while True:
        data = bytearray(rng.choice(good))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 8))):
            _damage(data, good, reader.words, rng)
        yield bytes(data[:LARGEST])


def _damage(
    data: bytearray, good: Sequence[bytes], words: Sequence[bytes], rng: random.Random
) -> None:
    at = rng.randint(0, len(data))
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 32, 256)))
    match rng.randrange(9 if words else 7):
        case 0 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 1 if at < len(data):
            data[at] = rng.choice((0, 1, 9, 10, 32, 34, 44, 127, 128, 255))
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * rng.choice((1, 2, 50))
        case 4:
            form = rng.choice((">I", "<I", ">H", "B"))
            number = rng.choice(_NUMBERS) % 256 ** struct.calcsize(form)
            data[at : at + struct.calcsize(form)] = struct.pack(form, number)
        case 5:
            other = rng.choice(good)
            begin = rng.randint(0, len(other))
            data[at:end] = other[begin : begin + rng.choice((1, 4, 16, 128))]
        case 6:
            data[at:] = b""
        case 7:
            data[at:at] = rng.choice(words)
        case 8:
            data[at:end] = rng.choice(words)


# --- the loop


def fuzz(
    reader: Reader,
    count: int,
    seed: int = 0,
    *,
    before: Callable[[bytes, Outcome], object] = lambda data, outcome: None,
    first: int = 0,
) -> Outcome:
    """Give ``reader`` so many inputs in this process, the first of them the one numbered ``first``.

    ``before`` is told each input before the reader has it, with what was found until then.
    """
    outcome, began = Outcome(), time.process_time()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        folder = Path(place) / "own"
        folder.mkdir()
        for data in itertools.islice(inputs(reader, seed), first, first + count):
            before(data, outcome)
            judge(reader, data, folder, outcome)
    before(b"", outcome)
    outcome.seconds = time.process_time() - began
    return outcome


class _Shared:
    """What a process has done so far, in memory that outlives it: counts and the last input."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 32 + LARGEST)

    def note(self, data: bytes, outcome: Outcome) -> None:
        counts = (outcome.read, outcome.refused, len(outcome.failed), len(data))
        self._memory[:32] = struct.pack("<4Q", *counts)
        self._memory[32 : 32 + len(data)] = data

    def noted(self) -> tuple[int, int, int, bytes]:
        read, refused, failed, size = struct.unpack("<4Q", self._memory[:32])
        return read, refused, failed, self._memory[32 : 32 + size]


def isolated(reader: Reader, count: int, seed: int = 0) -> Outcome:
    """The same as :func:`fuzz` in processes of their own, one after the other as they die."""
    total = Outcome()
    began = _seconds_of_children()
    for _ in range(MOST_DEATHS):
        _in_a_process(reader, count - total.tried, seed, total)
        if total.tried >= count:
            break
    total.seconds = _seconds_of_children() - began
    return total


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _in_a_process(reader: Reader, count: int, seed: int, total: Outcome) -> None:
    """Add to ``total`` what a process finds until it is done, or dies."""
    forks = multiprocessing.get_context("fork")
    here, there = forks.Pipe(duplex=False)
    shared = _Shared()
    shared.note(b"", Outcome())
    process = forks.Process(
        target=_child, args=(reader, count, seed, total.tried, shared, there), daemon=True
    )
    process.start()
    there.close()
    failed = []
    last = None
    while True:
        # Failures come as they are found: the process may not be there to say them at its end.
        if here.poll(2 * LONGEST_WAIT):
            try:
                failed.append(here.recv())
            except EOFError:
                break
        elif shared.noted() == last:
            process.kill()
        last = shared.noted()
    process.join()
    read, refused, told, data = shared.noted()
    total.read += read
    total.refused += refused
    total.failed += failed[:told]
    if process.exitcode:
        if process.exitcode > 0:
            raise RuntimeError("the harness itself failed, as is said above")
        ended = signal.Signals(-process.exitcode).name
        total.failed.append(f"the process ended with {ended}\n{data[:MOST_KEPT]!r}")


def _child(
    reader: Reader, count: int, seed: int, first: int, shared: _Shared, there: Connection
) -> None:
    told = 0

    def before(data: bytes, outcome: Outcome) -> None:
        nonlocal told
        for text in outcome.failed[told:]:
            there.send(text)
        told = len(outcome.failed)
        shared.note(data, outcome)

    fuzz(reader, count, seed, before=before, first=first)


# --- what is told


def row(name: str, found: Outcome, seed: int, **more: Any) -> dict[str, Any]:
    """What the page of figures needs of a reader."""
    return {
        "what": READERS[name].what,
        "inputs": found.tried,
        "read": found.read,
        "refused": found.refused,
        "failed": len(found.failed),
        "seconds": round(found.seconds, 1),
        "seed": seed,
        **more,
    }


def keep(file: Path, part: str, name: str, made: dict[str, Any]) -> None:
    """Put a row into ``file``; what it holds of other readers stays."""
    held = json.loads(file.read_text()) if file.is_file() else {}
    held.setdefault(part, {})[name] = made
    held["origin"] = reporting.origin()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(held, indent=1) + "\n")


def main() -> None:
    """Try the readers that are named, by default all."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    line.add_argument("--inputs", type=int, default=INPUTS, help="per reader")
    line.add_argument("--seed", type=int, default=0)
    line.add_argument("--json", type=Path, help="put the figures into this file")
    asked = line.parse_args()
    if wrong := set(asked.readers) - set(READERS):
        line.error(f"no reader {', '.join(sorted(wrong))}; there are {', '.join(READERS)}")
    logging.getLogger("fallline").setLevel(logging.ERROR)  # each damaged state would be told of
    failed = False
    print("reader           inputs      read   refused    failed   seconds")
    for name in asked.readers or READERS:
        found = isolated(READERS[name], asked.inputs, asked.seed)
        numbers = (found.tried, found.read, found.refused, len(found.failed), found.seconds)
        print(f"{name:14} {'{:9,} {:9,} {:9,} {:9,} {:9.1f}'.format(*numbers)}", flush=True)
        for text in found.kinds:
            print(text, file=sys.stderr, flush=True)
        if asked.json:
            keep(asked.json, "readers", name, row(name, found, asked.seed))
        failed |= bool(found.failed)
    sys.exit(failed)


if __name__ == "__main__":
    main()
