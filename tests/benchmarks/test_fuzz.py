"""Every reader with the first of the inputs that `make fuzz` gives it, and the harness itself."""

import time

import pytest

import fuzz
from fallline.errors import DataError
from fuzz_readers import Reader


@pytest.mark.parametrize("name", fuzz.READERS)
def test_broken_input_is_a_result_or_an_error_with_words(name):
    found = fuzz.fuzz(fuzz.READERS[name], 150)
    assert found.failed == []
    assert found.tried == 150
    assert min(found.read, found.refused) > 0, "inputs must be both, good and bad"


def test_what_a_reader_does_wrong_is_told(monkeypatch):
    def read(data, folder):
        match data:
            case b"raise":
                raise ValueError("no words for a user")
            case b"silent":
                raise DataError("")
            case b"outside":
                (folder.parent / "outside").touch()
            case b"hang":
                while True:
                    time.perf_counter()
            case b"refuse":
                raise DataError("it is wrong")

    monkeypatch.setattr(fuzz, "LONGEST_SECONDS", 0.02)
    seeds = [b"good", b"refuse", b"raise", b"silent", b"hang", b"outside"]
    found = fuzz.fuzz(Reader(lambda: seeds, read), len(seeds))
    assert (found.read, found.refused) == (2, 1)
    told = "\n".join(found.failed)
    for words in ("ValueError: no words", "without words", "fuzz.Hang", "wrote outside"):
        assert words in told


def test_inputs_are_the_same_for_a_seed():
    reader = fuzz.READERS["csv"]
    one, same, other = (
        [data for data, _ in zip(fuzz.inputs(reader, seed), range(50), strict=False)]
        for seed in (1, 1, 2)
    )
    assert one == same != other
