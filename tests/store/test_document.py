"""Documents go through TOML and come back equal."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallline.errors import StudyError
from fallline.store.document import StudyDocument, Timing
from fallline.store.folder import StudyFolder, read_record, write_record


def test_a_document_comes_back_equal(tmp_path: Path, document: StudyDocument) -> None:
    StudyFolder.begin(tmp_path / "study", document).close()
    # What is None is left out of the file, so it is not in the free form of the machine either.
    machine = {name: value for name, value in document.machine.items() if value is not None}
    held = StudyFolder.open(tmp_path / "study").document
    assert held == msgspec.structs.replace(document, machine=machine)
    assert held.task.target is None
    assert held.protocol.learning_rates == {"adam": (1e-4, 3.2e-4, 1.0), "gd": ()}
    assert isinstance(held.protocol.final_seeds, tuple)


def test_the_file_is_plain_toml_in_utf_8(tmp_path: Path, document: StudyDocument) -> None:
    StudyFolder.begin(tmp_path, document).close()
    tree = tomllib.loads((tmp_path / "study.toml").read_text(encoding="utf-8"))
    assert tree["task"]["title"] == 'Güte von Weißwein, "trocken" — 品質'
    assert "target" not in tree["task"]
    assert tree["protocol"]["search_seeds"] == [0, 1, 2]


def test_a_target_is_kept_to_the_last_bit(tmp_path: Path, document: StudyDocument) -> None:
    task = msgspec.structs.replace(document.task, target=0.1 + 0.2)
    StudyFolder.begin(tmp_path, msgspec.structs.replace(document, task=task)).close()
    assert StudyFolder.open(tmp_path).document.task.target == 0.1 + 0.2


def test_timing_comes_back_and_says_that_the_study_is_complete(
    tmp_path: Path, document: StudyDocument
) -> None:
    study = StudyFolder.begin(tmp_path, document)
    assert not study.complete
    assert study.timing is None
    timing = Timing(total=12.5, compile=3.0, train=8.0, step={"adam": 1.5e-5, "gd": 2e-4})
    study.finish(timing)
    study.close()
    held = StudyFolder.open(tmp_path)
    assert held.complete
    assert held.timing == timing


def test_timing_of_an_earlier_version_is_read(tmp_path: Path, document: StudyDocument) -> None:
    StudyFolder.begin(tmp_path, document).close()
    text = "total = 1.5\ncompile = 0.5\ntrain = 1.0\n\n[step]\nadam = 1e-5\n"
    (tmp_path / "timing.toml").write_text(text, encoding="utf-8")
    timing = StudyFolder.open(tmp_path).timing
    assert timing == Timing(total=1.5, compile=0.5, train=1.0, step={"adam": 1e-5})
    assert (timing.state_bytes, timing.searched, timing.peak_memory) == ({}, {}, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace("= 50", "= fifty"), "cannot be read"),
        (lambda text: text.replace("epochs = 50", 'epochs = "50"'), r"Expected `int`.*epochs"),
        (lambda text: text.replace("epochs = 50", ""), "missing required field `epochs`"),
        (lambda text: text.replace("epochs = 50", "epochs = 50\nmood = 1"), "unknown field `mood`"),
        (lambda text: "", "missing required field"),
    ],
    ids=["torn", "no toml", "wrong type", "field missing", "field unknown", "empty"],
)
def test_a_damaged_document_is_refused_by_its_name(
    tmp_path: Path, document: StudyDocument, change, message: str
) -> None:
    StudyFolder.begin(tmp_path, document).close()
    file = tmp_path / "study.toml"
    file.write_text(change(file.read_text("utf-8")), "utf-8")
    for opened in (StudyFolder.open, lambda path: StudyFolder.begin(path, document)):
        with pytest.raises(StudyError, match=message) as caught:
            opened(tmp_path)
        assert "study.toml" in str(caught.value)
        assert caught.value.hint


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, document: StudyDocument) -> None:
    StudyFolder.begin(tmp_path, document).close()
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="cannot be read"):
        StudyFolder.open(tmp_path)


def test_a_later_format_is_refused_as_such(tmp_path: Path, document: StudyDocument) -> None:
    later = msgspec.structs.replace(document, format_version=2)
    StudyFolder.begin(tmp_path, later).close()
    with pytest.raises(StudyError, match="is in study format 2") as caught:
        StudyFolder.open(tmp_path)
    assert "reads format 1" in caught.value.hint


def test_a_document_that_cannot_be_read_is_no_bare_error(
    tmp_path: Path, document: StudyDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    StudyFolder.begin(tmp_path, document).close()

    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(StudyError, match=r"study\.toml' cannot be read: Permission denied"):
        StudyFolder.open(tmp_path)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.floats(allow_nan=False)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    title=WORDS,
    notes=st.lists(WORDS, max_size=3),
    defaults=st.dictionaries(WORDS, NUMBERS, max_size=3),
    rates=st.dictionaries(WORDS, st.lists(NUMBERS, max_size=3), max_size=2),
    seed=st.integers(0, 2**63 - 1),
)
def test_whatever_it_says_comes_back_equal(
    tmp_path: Path, document: StudyDocument, title, notes, defaults, rates, seed
) -> None:
    change = msgspec.structs.replace
    adam = change(document.optimizers["adam"], title=title, defaults=defaults)
    said = change(
        document,
        task=change(document.task, title=title, notes=tuple(notes)),
        protocol=change(
            document.protocol,
            learning_rates={name: tuple(values) for name, values in rates.items()},
            study_seed=seed,
        ),
        optimizers={**document.optimizers, "adam": adam, title: adam},
        machine={},
    )
    write_record(tmp_path / "study.toml", said)
    assert read_record(tmp_path / "study.toml", StudyDocument) == said
