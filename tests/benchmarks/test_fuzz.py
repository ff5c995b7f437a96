"""Every reader with the first of the inputs that `make fuzz` gives it, and the harness itself."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import fuzz
import fuzz_guided
import fuzz_judging
from fallline.errors import DataError
from fuzz_reader import Reader

HERE = Path(fuzz.__file__).parent
FEWER = {"command line": 30, "study": 60, "part": 60, "doctor": 40}
"""Inputs of readers that take milliseconds."""
FIRST = {"command line": 20}
"""Of those, the good ones before it are as many as they are slow."""
FAR = Path(tempfile.gettempdir()) / f"fallline-far-{os.getpid()}"


@pytest.mark.parametrize("name", fuzz.READERS)
def test_broken_input_is_a_result_or_an_error_with_words(name):
    count = FEWER.get(name, 150)
    found = fuzz.fuzz(fuzz.READERS[name], count, first=FIRST.get(name, 0))
    assert found.failed == []
    assert found.tried == count
    assert min(found.read, found.refused) > 0, "inputs must be both, good and bad"


def wrong(data, folder):
    """Does what its input says."""
    match data:
        case b"raise":
            raise KeyError("no words for a user")
        case b"silent":
            raise DataError("")
        case b"leave":
            sys.exit(1)
        case b"hang":
            while True:
                time.perf_counter()
        case b"wait":
            time.sleep(60)
        case b"large":
            np.ones(2**20)
        case b"beside":
            (folder.parent / "beside").touch()
        case b"far":
            FAR.write_bytes(data)
        case b"remove":
            FAR.unlink(missing_ok=True)
        case b"start":
            subprocess.run(["true"])
        case b"pickle":
            pickle.loads(pickle.dumps(Path("x")))
        case b"refuse":
            raise DataError("it is wrong")


WRONG = {
    b"raise": "KeyError: 'no words for a user'",
    b"silent": "without words",
    b"leave": "SystemExit: 1",
    b"hang": "Hang: takes 0.05 s",
    b"wait": "Hang: waits 0.2 s",
    b"large": "grew by",
    b"beside": "beside'",
    b"far": "open of",
    b"remove": "os.remove of",
    b"start": "subprocess.Popen",
    b"pickle": "pickle.find_class",
}


@pytest.mark.parametrize("data", WRONG)
def test_what_a_reader_does_wrong_is_told(data, monkeypatch):
    monkeypatch.setattr(fuzz_judging, "LONGEST_SECONDS", 0.05)
    if data == b"wait":
        monkeypatch.setattr(fuzz_judging, "LONGEST_WAIT", 0.2)
    monkeypatch.setattr(fuzz_judging, "MOST_BYTES", 2**22)
    seeds = [b"good", b"refuse", data]
    try:
        found = fuzz.fuzz(Reader("words", lambda: seeds, wrong), len(seeds))
    finally:
        FAR.unlink(missing_ok=True)
    assert (found.read, found.refused, len(found.failed)) == (1, 1, 1)
    assert WRONG[data] in found.failed[0]
    assert found.failed[0].endswith(f"\n{data!r}")


def test_a_reader_may_write_into_its_own_folder():
    def read(data, folder):
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / "file").write_bytes(data)
        (folder / "in" / "file").rename(folder / "file")

    assert fuzz.fuzz(Reader("words", lambda: [b"a", b"b"], read), 2).failed == []


DYING = """
import os, signal, fuzz
from fuzz_reader import Reader

def read(data, folder):
    if data == b"die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"raise":
        raise KeyError("told before the end")

seeds = [b"raise", b"one", b"die", b"two", b"three"]
found = fuzz.isolated(Reader("words", lambda: seeds, read), len(seeds))
print(found.read, found.refused, *(repr(text.splitlines()[-2:]) for text in found.failed))
"""


def test_an_input_that_ends_the_process_is_told_and_the_next_one_is_tried():
    done = subprocess.run(
        [sys.executable, "-c", DYING], capture_output=True, text=True, check=True, cwd=HERE
    )
    assert done.stdout == (
        "3 0 [\"KeyError: 'told before the end'\", \"b'raise'\"] "
        "['the process ended with SIGSEGV', \"b'die'\"]\n"
    )


def test_inputs_are_the_same_for_a_seed():
    reader = fuzz.READERS["csv"]
    one, same, other = (
        [data for data, _ in zip(fuzz.inputs(reader, seed), range(50), strict=False)]
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_figures_are_kept_beside_those_of_other_readers(tmp_path):
    file = tmp_path / "figures.json"
    found = fuzz_judging.Outcome(read=2, refused=3, failed=["what\nb'x'"], seconds=1.25)
    fuzz.keep(file, "readers", "csv", fuzz.row("csv", found, 7))
    fuzz.keep(file, "guided", "csv", fuzz.row("csv", found, 7, edges=5))
    row = {"what": "a table in CSV", "inputs": 6, "read": 2, "refused": 3, "failed": 1}
    row |= {"seconds": 1.2, "seed": 7}
    held = json.loads(file.read_text())
    assert "fallline" in held.pop("origin")
    assert held == {"readers": {"csv": row}, "guided": {"csv": row | {"edges": 5}}}


ATHERIS = """
import pathlib
def instrument_imports(include):
    import contextlib
    assert include == ["fallline"]
    return contextlib.nullcontext()
def Setup(given, one):
    global go
    runs = int(given[1].removeprefix("-runs="))
    files = sorted(pathlib.Path(given[-1]).iterdir())
    go = lambda: [one(file.read_bytes()) for file in files[:runs]]
def Fuzz():
    import os, sys
    go()
    sys.stderr.write("#9 NEW cov: 3 ft: 4\\n#9 DONE cov: 12 ft: 34 corp: 5\\n")
    sys.stderr.flush()
    os._exit(0)
"""


def test_guided_inputs_are_judged_and_counted(tmp_path, monkeypatch):
    """With a stand-in for atheris, which is not among the packages that tests need."""
    (tmp_path / "atheris.py").write_text(ATHERIS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    found, reached = fuzz_guided.guided("protocol", 30, seed=1)
    assert (found.tried, found.failed) == (30, [])
    assert min(found.read, found.refused) > 0
    assert reached == {"edges": 12, "features": 34}
