"""The recommendation's sentences, as somebody reads them who knows no statistics."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from fallline.analysis.reading import Reading, read
from fallline.report import templates
from fallline.report.recommendation import LINE, as_json, content, lines
from fallline.report.verdict import verdict
from fallline.snippets import Snippet
from made_study import make

BEST = (0.98, 0.981, 0.982, 0.983, 0.979)
CLOSE = (0.982, 0.979, 0.981, 0.982, 0.981)
WORSE = (0.90, 0.91, 0.905, 0.902, 0.907)
LOWER = (0.968, 0.979, 0.96, 0.975, 0.966)
SOME = ("nadam", "adabelief", "adam", "sgd", "gd_exact", "gd")
SURE, ELSE = "How sure", "What else may do as well"


def study(figures: dict[str, tuple[float, ...]], **changes: Any) -> Reading:
    """A study whose final runs have these test figures, ranked in this order."""
    return _study(tuple(figures.items()), tuple(changes.items()))


@cache
def _study(
    figures: tuple[tuple[str, tuple[float, ...]], ...], changes: tuple[tuple[str, Any], ...]
) -> Reading:
    def edit(runs):
        runs = runs.copy()
        for number, (name, values) in enumerate(figures):
            final = runs.index[(runs["optimizer"] == name) & (runs["phase"] == "final")]
            for index, value in zip(final, values, strict=True):
                runs.at[index, "test_metric"] = value
                curve = np.full(30, 0.99 - 0.01 * number, np.float32)
                runs.at[index, "validation_metric"] = curve
        return runs

    return make(optimizers=tuple(name for name, _ in figures), edit=edit, **dict(changes))


def part(reading: Reading, heading: str) -> str:
    return dict(content(reading)["parts"]).get(heading, "")


def changing(reading: Reading) -> dict[str, str]:
    return dict(content(reading)["changes"])


def test_a_clear_winner_among_two():
    assert part(study({"adam": BEST, "sgd": WORSE}), SURE) == (
        "Sure: adam is better than sgd by more than chance explains, by 7.6 points (95 % interval "
        "7.1 to 8.2). Every run with adam beat every run with sgd."
    )


def test_a_clear_winner_names_the_closest():
    reading = study({"adam": BEST, "nadam": WORSE, "sgd": tuple(value - 0.02 for value in WORSE)})
    assert part(reading, SURE) == (
        "Sure: adam is better than both others by more than chance explains. The closest is nadam, "
        "behind by 7.6 points (95 % interval 7.1 to 8.2). Every run with adam beat every run with "
        "nadam."
    )
    assert part(reading, ELSE) == "Nothing of what was compared."


def test_odds_that_are_not_certain_are_a_share_of_cases():
    # Of the 25 pairs of runs adam wins 24 and draws one.
    assert "Of one run with each, that with adam is the better one in 98 % of cases." in part(
        study({"adam": BEST, "sgd": LOWER}), SURE
    )


def test_two_that_cannot_be_told_apart():
    reading = study({"adam": BEST, "nadam": CLOSE})
    assert part(reading, SURE) == (
        "Not sure: 5 fresh seeds cannot tell adam and nadam apart. adam has the better validation "
        "figure, and that may be chance."
    )
    assert part(reading, ELSE) == (
        "nadam at 1e-3: no difference larger than 0.18 points (95 % sure). It is not clearly "
        "easier to tune than adam."
    )


def test_a_bound_that_is_wide_asks_for_seeds():
    wild = (0.98, 0.90, 0.99, 0.985, 0.92)
    found = part(study({"adam": BEST, "nadam": wild}), ELSE)
    assert "no difference larger than 6.6 points (95 % sure). More fresh seeds would" in found


def test_everything_tied():
    assert part(study({"adam": BEST, "nadam": CLOSE, "eadam": CLOSE}), SURE).startswith(
        "Not sure: no optimizer is shown to be better than another; 5 fresh seeds cannot tell "
        "them apart. adam has the best validation figure"
    )


def test_some_tied_some_worse():
    sure = part(study({"adam": BEST, "nadam": CLOSE, "sgd": WORSE}), SURE)
    assert sure == (
        "Sure that adam is among the best, not that it is the best: 5 fresh seeds cannot tell it "
        "from nadam. Surely worse: sgd (by 7.6 points)."
    )


def test_probably_the_best():
    reading = study(
        dict.fromkeys(("adam", "sgd", "gd", "nesterov", "adagrad"), LOWER) | {"adam": BEST}
    )
    sure = part(reading, SURE)
    assert sure.startswith(
        "Fairly sure: nothing else does as well, but sgd, gd, nesterov and adagrad are only "
        "probably worse than adam. More fresh seeds would tell."
    )
    assert any("360 test examples (one of them is 0.3 points)" in each for each in lines(reading))


def test_test_data_that_disagree():
    sure = part(study({"adam": WORSE, "nadam": BEST}), SURE)
    assert sure.startswith(
        "Not sure: validation data chose adam, but on test data nadam did better, by 7.6 points "
        "(95 % interval 7.1 to 8.2). Test data must not choose"
    )


def test_one_optimizer_alone():
    reading = study({"adam": BEST})
    assert part(reading, SURE).startswith("There was nothing to compare adam with")
    assert part(reading, ELSE) == ""
    assert list(changing(reading)) == ["Other batch size"]


def test_a_single_seed():
    reading = study({"adam": (0.98,), "sgd": (0.90,)}, fresh=1)
    assert part(reading, SURE).startswith(
        "It cannot be told: each was trained on one fresh seed, and a single training may be lucky."
    )
    assert "Fewer epochs" not in changing(reading)


def test_defaults_alone():
    reading = make(
        optimizers=("adam", "sgd"),
        searched=False,
        edit=lambda runs: runs[runs["phase"] == "final"],
    )
    assert part(reading, SURE).endswith(
        "Only default settings were compared; with a search for each the order may be another."
    )
    assert "Fewer trials" not in changing(reading)
    assert "searched" not in part(reading, "What to use")


def test_an_error_is_in_its_own_units():
    usual = study({"adam": BEST, "sgd": WORSE})
    document = usual.document
    task = msgspec.structs.replace(
        document.task, metric="rmse", higher_is_better=False, kind="regression"
    )
    runs = usual.runs.copy()
    runs["test_metric"] = 1.6 - runs["test_metric"]
    runs["validation_metric"] = [
        (1.6 - curve).astype(np.float32) for curve in runs["validation_metric"]
    ]
    reading = read(runs, msgspec.structs.replace(document, task=task), timing=usual.timing)
    sure = part(reading, SURE)
    assert "adam is better than sgd by more than chance explains, by 0.0762 RMSE" in sure
    assert "points" not in " ".join(lines(reading))


def test_nothing_where_all_diverged():
    reading = make(optimizers=("adam", "sgd"), edit=lambda runs: runs.assign(status="diverged"))
    assert part(reading, SURE).startswith(
        "Nothing can be recommended: all trainings on fresh seeds diverged."
    )
    shown = lines(reading)
    assert shown[0] == verdict(reading)
    assert "Try smaller learning rates" in " ".join(" ".join(shown).split())
    assert content(reading)["codes"] == ()


def test_a_divergence_is_worse_than_any_figure():
    def diverge(runs):
        gone = (runs["optimizer"] == "nadam") & (runs["seed"] == 1001)
        return runs.assign(status=runs["status"].mask(gone, "diverged"))

    reading = make(optimizers=("adam", "nadam"), edit=diverge)
    assert part(reading, SURE) == "Sure: nadam diverged on fresh seeds, which counts as worse."


@pytest.mark.parametrize("kept", ["search", "none"])
def test_an_unfinished_study_recommends_nothing_yet(kept):
    reading = make(
        optimizers=("adam", "sgd"), complete=False, edit=lambda runs: runs[runs["phase"] == kept]
    )
    found = content(reading)
    assert not found["chosen"]
    assert found["changes"] == []
    assert "The same command goes on with" in part(reading, SURE)
    assert [line for line in lines(reading) if not line.startswith("  note:")] == [verdict(reading)]


def test_the_easier_one_is_named_with_its_reason():
    reading = study({"adam": BEST, "gd_exact": CLOSE})
    assert part(reading, ELSE).endswith(
        "If you tune little, take gd_exact: it has no learning rate to choose."
    )
    assert changing(reading)["Fewer trials"] == (
        "Ahead on average: gd_exact with 1 trial, adam with 2 or more."
    )


def test_when_the_answer_would_change():
    found = changing(study({"adam": BEST, "sgd": WORSE}))
    assert found["Fewer trials"] == "adam is ahead on average, with 1 to 7 trials."
    assert found["Fewer epochs"] == "After 7 and 15 of 30 nobody is surely ahead of adam."
    assert found["Counting seconds"].startswith("Nobody reaches 99.0 % validation accuracy clearly")
    assert found["Other batch size"] == (
        "Not known: this holds for batches of 32 and 30 epochs. The same command with "
        "--batch-size 64 finds out, as a study of its own."
    )


def test_another_that_is_ahead_early_or_sooner_is_named():
    def edit(runs):
        runs = runs.copy()
        ahead = (runs["optimizer"] == "nadam") & (runs["phase"] == "final")
        for place, index in enumerate(runs.index[ahead]):
            curve = np.full(30, 0.95, np.float32)
            curve[:10] = 0.96 + 0.001 * place
            runs.at[index, "validation_metric"] = curve
        return runs

    found = changing(make(optimizers=("adam", "nadam"), edit=edit, target=0.955))
    assert found["Fewer epochs"].startswith("After 7 of 30 nadam is ahead of adam, by ")
    assert found["Fewer epochs"].endswith("after 15 nobody is surely ahead of adam.")
    # nadam takes twice the time per step, and a tenth of the steps or fewer.
    assert found["Counting seconds"].startswith("nadam reaches 95.5 % validation accuracy after ")


def test_the_target_missed_is_said():
    shown = lines(study({"adam": BEST, "sgd": WORSE}, target=0.999))
    assert (
        "  note: No optimizer reaches the target of 99.9 % validation accuracy within 30 epochs: "
        "more of them may." in shown
    )


@pytest.fixture(scope="module")
def usual() -> Reading:
    return make(optimizers=SOME)


def test_the_terminal_has_the_verdict_first_and_few_lines(usual):
    shown = lines(usual)
    assert shown[0] == verdict(usual)
    assert len(shown) <= 25
    notes = [line for line in shown[1:] if line.startswith("  note:")]
    rest = shown[1 + len(notes) : -2]
    assert max(map(len, rest)) <= LINE
    assert shown[-1].strip() == "(PyTorch, Keras and Optax: in the report)"


def test_json_has_the_data_the_words_and_the_code(usual):
    found = json.loads(json.dumps(as_json(usual), allow_nan=False))
    assert found["certainty"] == "one of several"
    best, relations = usual.summary["optimizer"][0], usual.summary["relation"]
    assert found["chosen"]["optimizer"] == best
    assert found["chosen"]["test"]["seeds"] == 5
    assert len(found["others"]) == 5
    assert [each["relation"] for each in found["others"]] == relations[1:].tolist()
    tied = usual.summary["optimizer"][relations == "not distinguishable"].tolist()
    assert found["as_good"] == tied != []
    assert {each["optimizer"] for each in found["efforts"]} == set(usual.summary["optimizer"])
    assert found["changes"]["budget"][0]["first"] == 1
    assert found["words"]["how_sure"][0].startswith(f"Sure that {best} is among")
    assert set(found["code"]) == {"torch", "keras", "optax", "fallline"}


def test_the_partial_escapes_what_it_is_given(usual):
    evil = "<script>alert(1)</script>"
    found = content(usual)
    found["parts"].append((evil, evil))
    found["warnings"].append(evil)
    page = templates.page("recommendation.html.jinja", recommendation=found)
    assert evil not in page
    assert page.count("<input ") == page.count('class="code"') == 4
    assert page.count(" checked") == 1
    assert page.count("<tr") == 1 + len(found["equals"])


def test_code_of_the_chosen_one_is_shown_where_it_is_kept():
    usual = study({"adam": BEST, "sgd": WORSE})
    torch = Snippet("import torch", "optimizer = torch.optim.Adam", ("lr={learning_rate}",))
    described = {
        name: msgspec.structs.replace(each, code={"torch": torch})
        for name, each in usual.document.optimizers.items()
    }
    document = msgspec.structs.replace(usual.document, optimizers=described)
    shown = lines(Reading(**{**vars(usual), "document": document}))
    assert shown[-2].split() == [
        "PyTorch:", "optimizer", "=", "torch.optim.Adam(lr=0.001)"
    ]  # fmt: skip
    assert shown[-1].strip() == "(Keras, Optax and fallline: in the report)"
