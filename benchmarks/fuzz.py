"""Broken and hostile input for every reader: a result or an error that says what is wrong.

    python benchmarks/fuzz.py [READER ...] [--inputs 100000] [--seed 0]

Inputs are good ones, damaged at random. A reader fails where it raises anything but a
``FalllineError``, takes longer than :data:`LONGEST_SECONDS`, makes the process larger by more than
:data:`MOST_BYTES`, or leaves anything outside of the folder that it was given. Exit code 1 if one
did; each failure is printed with the input that causes it.
"""

from __future__ import annotations

import argparse
import logging
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fallline.errors import FalllineError
from fuzz_readers import READERS, Reader

LONGEST_SECONDS = 10.0
"""Of processor time, for one input."""
MOST_BYTES = 256 * 2**20
INPUTS = 100_000
_NUMBERS = (0, 1, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass
class Outcome:
    """How a reader took its inputs."""

    read: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    """What went wrong, a text each, with the input that did it in its last line."""
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        return self.read + self.refused + len(self.failed)


class Hang(Exception):
    """An input takes too long."""


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
        yield bytes(data[: 2**20])


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


def _alarm(number: int, frame: Any) -> None:
    raise Hang(f"more than {LONGEST_SECONDS:g} s")


def fuzz(reader: Reader, count: int, seed: int = 0) -> Outcome:
    """Give ``reader`` so many inputs."""
    outcome = Outcome()
    began = time.perf_counter()
    signal.signal(signal.SIGVTALRM, _alarm)
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        folder = Path(place) / "own"
        folder.mkdir()
        for data, _ in zip(inputs(reader, seed), range(count), strict=False):
            _try(reader, data, folder, outcome)
    outcome.seconds = time.perf_counter() - began
    return outcome


def _try(reader: Reader, data: bytes, folder: Path, outcome: Outcome) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_SECONDS)
    try:
        reader.read(data, folder)
        outcome.read += 1
    except FalllineError as error:
        if str(error).strip():
            outcome.refused += 1
        else:
            outcome.failed.append(f"an error without words: {error!r}\n{data!r}")
    except Exception:
        outcome.failed.append(f"{traceback.format_exc(limit=-4, chain=False)}{data[:3000]!r}")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > MOST_BYTES:
        outcome.failed.append(f"grew by {grown:,} bytes\n{data[:3000]!r}")
    if len(list(folder.parent.iterdir())) > 1:
        outcome.failed.append(f"wrote outside of its folder\n{data[:3000]!r}")


def main() -> None:
    """Try the readers that are named, by default all."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    line.add_argument("--inputs", type=int, default=INPUTS, help="per reader")
    line.add_argument("--seed", type=int, default=0)
    asked = line.parse_args()
    if wrong := set(asked.readers) - set(READERS):
        line.error(f"no reader {', '.join(sorted(wrong))}; there are {', '.join(READERS)}")
    logging.getLogger("fallline").setLevel(logging.ERROR)  # each damaged state would be told of
    failed = False
    print("reader        inputs      read   refused    failed   seconds")
    for name in asked.readers or READERS:
        found = fuzz(READERS[name], asked.inputs, asked.seed)
        numbers = (found.tried, found.read, found.refused, len(found.failed), found.seconds)
        print(f"{name:11} {'{:9,} {:9,} {:9,} {:9,} {:9.1f}'.format(*numbers)}", flush=True)
        for text in {each.rpartition("\n")[0]: each for each in found.failed}.values():
            print(text, file=sys.stderr)
        failed |= bool(found.failed)
    sys.exit(failed)


if __name__ == "__main__":
    main()
