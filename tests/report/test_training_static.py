"""A training's pictures as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import image

from fallline.errors import InputError
from fallline.report import training_static
from portraits import EVIL, evil, images, table


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Draw these pictures alone: each takes a tenth of a second."""

    def keep(*names: str) -> None:
        kept = {name: training_static.PICTURES[name] for name in names}
        monkeypatch.setattr(training_static, "PICTURES", kept)

    return keep


OF_CLASSES = ["history", "gap", "examples", "predictions", "confusion", "report", "network"]


def test_every_picture_of_a_classification_is_a_file(tmp_path: Path) -> None:
    written = training_static.write(images(), tmp_path / "pictures", "png")
    assert [path.name for path in written] == [f"{n}.png" for n in [*OF_CLASSES, "weights"]]
    for path in written:
        pixels = image.imread(path)[..., :3]
        assert pixels.std() > 0.01, f"{path.name} is empty"


def test_a_regression_has_a_scatter_and_no_classes(tmp_path: Path, only) -> None:
    only("confusion", "report", "scatter", "weights")
    names = [path.stem for path in training_static.write(table(), tmp_path, "pdf")]
    assert names == ["scatter", "weights"]
    assert (tmp_path / "scatter.pdf").read_bytes().startswith(b"%PDF")


def test_svg_has_the_text_and_is_the_same_each_time(tmp_path: Path, only) -> None:
    only("gap", "predictions")
    for folder in ("first", "second"):
        training_static.write(images(), tmp_path / folder, "svg")
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
    text = (tmp_path / "first" / "predictions.svg").read_text("utf-8")
    assert "✗ dog, is cat" in text
    assert "Over-fitting since epoch 4" in (tmp_path / "first" / "gap.svg").read_text("utf-8")


def test_names_that_a_user_chose_are_text(tmp_path: Path, only) -> None:
    only("confusion", "report", "network")
    given = evil()
    for path in training_static.write(given, tmp_path, "svg"):
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert "script" not in tags
    assert EVIL not in (tmp_path / "report.svg").read_text("utf-8")


def test_dollars_in_a_name_are_no_formula(tmp_path: Path, only) -> None:
    only("confusion")
    training_static.write(images(classes=("$\\frac{", "$x$", "_a^b")), tmp_path, "svg")
    assert "$x$" in (tmp_path / "confusion.svg").read_text("utf-8")


def test_diverged_or_empty_trainings_are_drawn(tmp_path: Path) -> None:
    nothing = np.zeros(0)
    given = images(
        predictions=None,
        first_weights=None,
        diverged=True,
        train_loss=nothing,
        train_metric=nothing,
        validation_loss=nothing,
        validation_metric=nothing,
    )
    names = [path.stem for path in training_static.write(given, tmp_path, "png")]
    assert names == ["history", "examples", "network"]


def test_an_unknown_format_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gif") as refused:
        training_static.write(images(), tmp_path / "none", "gif")
    assert "png, svg, pdf" in (refused.value.hint or "")
    assert not (tmp_path / "none").exists()
