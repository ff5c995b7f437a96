"""Code of the chosen setting: what is kept, what is lacking, what an old folder has."""

from __future__ import annotations

import msgspec
import pytest

from fallline.analysis.reading import Reading
from fallline.analysis.recommendation import recommend
from fallline.report.code import TITLES, codes, first
from fallline.snippets import Snippet, of_ours
from made_study import make

ADAM = {
    "torch": Snippet(
        "import torch", "optimizer = torch.optim.Adam", ("model.parameters()", "lr={learning_rate}")
    ),
    "keras": Snippet(
        "import keras",
        "optimizer = keras.optimizers.Adam",
        ("learning_rate={learning_rate}", "epsilon={epsilon}"),
        comments=("keras adds epsilon elsewhere",),
    ),
    "optax": Snippet("import optax", "tx = optax.adam", ("{learning_rate}",), held={"b1": 0.95}),
    "fallline": of_ours("adam", ["learning_rate", "b1"]),
}


@pytest.fixture(scope="module")
def alone() -> Reading:
    return make(optimizers=("adam",))


def written(reading: Reading, **changes):
    """By framework, the code of the one optimizer of the reading, its description changed."""
    document = reading.document
    described = msgspec.structs.replace(document.optimizers["adam"], **changes)
    new = msgspec.structs.replace(document, optimizers={"adam": described})
    changed = Reading(**{**vars(reading), "document": new})
    chosen = recommend(reading).chosen
    assert chosen is not None
    return {each.framework: each for each in codes(changed, chosen)}


def test_every_framework_has_its_code_at_the_chosen_setting(alone):
    found = written(alone, code=ADAM, defaults={"learning_rate": 1.0, "epsilon": 1e-8})
    assert list(found) == list(TITLES)
    assert found["torch"].text == (
        "import torch\n\noptimizer = torch.optim.Adam(model.parameters(), lr=0.001)"
    )
    assert found["torch"].call == "optimizer = torch.optim.Adam(model.parameters(), lr=0.001)"
    # What the search did not vary is at the default that the study's folder holds.
    assert "epsilon=1e-08" in found["keras"].text
    assert first(tuple(found.values())).framework == "torch"


def test_what_differs_is_said_and_not_shown_first(alone):
    rest = {name: each for name, each in ADAM.items() if name != "torch"}
    found = written(alone, code=rest, defaults={"epsilon": 1e-8})
    assert found["keras"].text.startswith("# keras adds epsilon elsewhere\n")
    assert not found["keras"].same
    assert found["optax"].text.startswith("# optax.adam has b1=0.95; asked was 0.9\n")
    assert not found["optax"].same
    assert first(tuple(found.values())).framework == "fallline"


def test_a_framework_that_lacks_it_says_so_with_the_way_that_works(alone):
    found = written(alone, code={"fallline": ADAM["fallline"]})
    assert not found["torch"].there
    assert found["torch"].text.startswith("# PyTorch has no adam.\n# What was measured is fallline")
    assert "optimizers.get" not in found["torch"].text
    assert 'optimizers.get("adam").transformation' in found["optax"].text


def test_wrappers_are_not_lost_in_silence(alone):
    chosen = recommend(alone).chosen
    name = "adam+clip_norm+cosine"
    document = alone.document
    described = {name: msgspec.structs.replace(document.optimizers["adam"], code=CLIPPED)}
    new = msgspec.structs.replace(document, optimizers=described)
    wrapped = type(chosen)(**{**vars(chosen), "optimizer": name})
    found = codes(Reading(**{**vars(alone), "document": new}), wrapped)
    assert "clip_norm and cosine would have to be put around its adam by hand" in found[0].text
    assert found[-1].text.endswith("# updates, state = tx.update(..., total_steps=...)")


CLIPPED = {
    "fallline": of_ours(
        "adam+clip_norm+cosine",
        ["learning_rate"],
        below=["updates, state = tx.update(..., total_steps=...)"],
    )
}


def test_a_full_batch_is_said_beside_the_code(alone):
    chosen = recommend(alone).chosen
    whole = type(chosen)(**{**vars(chosen), "full_batch": True})
    (*_, ours) = codes(alone, whole)
    assert ours.text.startswith("# every step takes all training examples as one batch\n")


def test_an_older_folder_gives_commands_and_ours(alone):
    found = written(alone)
    assert found["torch"].text == (
        "# this prints it:\n"
        "# $ fallline optimizers adam --code torch --set b1=0.9 --set learning_rate=0.001"
    )
    assert found["fallline"].there
    assert '"learning_rate": 0.001' in found["fallline"].text
