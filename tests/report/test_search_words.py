"""How a protocol is explained: what was tried, scored, widened and left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import msgspec
import pytest

from fallline.analysis.reading import Reading
from fallline.report import search_words
from fallline.report.protocol import sentences
from fallline.report.verdict import verdict, warnings
from fallline.spaces import Dimension

RATE = Dimension("learning_rate", 0, 1e-4, 0.1, "log")
MOMENTUM = Dimension("b1", 1, 0.5, 0.999, "log_one_minus")
NAMES = ("adam", "sgd", "gd_exact")


@pytest.fixture
def ruled(make_reading: Callable[..., Reading]) -> Callable[..., Reading]:
    """The reading of a study of three optimizers with another protocol."""

    def make(rule: str, *, searched: dict[str, float] | None = None, **changes) -> Reading:
        asked = {
            "rule": rule,
            "search_seeds": (0,),
            "confirm_seeds": (0, 1, 2),
            "points": ("0.5 0.5 0.5",) * 14,
            "dimensions": {"adam": (RATE, MOMENTUM), "sgd": (RATE,), "gd_exact": ()},
        }
        known = make_reading(optimizers=NAMES)
        protocol = msgspec.structs.replace(known.document.protocol, **{**asked, **changes})
        document = msgspec.structs.replace(known.document, protocol=protocol)
        timing = msgspec.structs.replace(known.timing, searched=searched or {})
        return dataclasses.replace(known, document=document, timing=timing)

    return make


def test_a_budget_in_words(ruled) -> None:
    text = search_words.search(ruled("budget 15"))
    assert text.startswith("Each optimizer tried 15 settings, its default first. The others lie at")
    assert "the same for all optimizers" in text
    assert "the learning rate alone varies, then momentum too." in text
    assert "The chart by learning rate shows the trials that vary nothing else." in text
    assert "gd_exact has none of these, and ran at the default setting alone." in text
    assert "on one seed, the best tenth of them on 3 in all" in text
    assert "TPE" not in text
    assert "epsilon" in search_words.search(ruled("budget 24", points=("0 0 0",) * 23))
    assert "alone varies" not in search_words.search(ruled("budget 4", points=("0 0 0",) * 3))


def test_the_model_is_named_where_it_chose(ruled) -> None:
    assert "then Optuna's TPE chose" in search_words.search(ruled("budget 30 tpe"))


def test_ranges_that_were_widened_are_named(ruled) -> None:
    # The made-up search goes up to 0.032 for adam and to 10 for sgd, whose best is 0.32.
    known = ruled("budget 15")
    tried = known.runs.groupby("optimizer")["learning_rate"].max()
    assert (tried["adam"], tried["sgd"]) == pytest.approx((0.032, 10.0), rel=0.02)
    assert search_words.widened(known) == ["adam to 3.2e-5", "sgd to 10"]
    assert search_words.search(known).endswith("widened: adam to 3.2e-5 and sgd to 10.")


def test_where_every_trial_has_three_seeds_none_is_confirmed(ruled) -> None:
    text = search_words.search(ruled("budget 15", search_seeds=(0, 1, 2)))
    assert "Every trial ran on 3 seeds, and the one with the best mean" in text
    assert "tenth" not in text


def test_halving_in_words_before_any_trial_was_stopped(ruled) -> None:
    text = search_words.search(ruled("budget 27 halving", epochs=20))
    assert "Every trial ran on one seed, and weak ones were stopped early" in text
    assert "after epochs 2 and 7 only the best third of an optimizer's trials went on" in text
    assert "Where several were trained to the end, the best tenth of them ran on 3 seeds" in text
    assert "Where the best at the first rung lay at the largest" in text
    assert "which saved" not in text
    quarter = search_words.search(ruled("budget 15 halving 4", epochs=20))
    assert "after epoch 5 only the best quarter" in quarter


def test_time_in_words_says_what_it_was_used_for(ruled) -> None:
    known = ruled("time 60 s", searched={"adam": 59.2, "sgd": 60.4})
    text = search_words.search(known)
    assert "was searched for 1 min 00 s of wall time, compiling included" in text
    assert "(adam 7 trials in 59.2 s and sgd 7 trials in 1 min 00 s)" in text
    assert search_words.overruns(known) == ""
    late = ruled("time 60 s", searched={"adam": 59.2, "sgd": 90.0})
    assert "longer than 1 min 00 s for sgd (1 min 30 s)" in search_words.overruns(late)
    assert search_words.overruns(late) in warnings(late)


def test_who_is_left_out_is_a_warning(ruled) -> None:
    known = ruled("self-tuning", searched=None, left_out=("adamw", "lion"))
    assert "Left out: adamw and lion. They need a learning rate" in search_words.search(known)
    assert search_words.left_out(known) in warnings(known)
    alone = ruled("self-tuning", left_out=("adamw",))
    assert "Left out: adamw. It needs a learning rate" in search_words.left_out(alone)
    assert search_words.left_out(ruled("self-tuning")) == ""


def test_the_paragraph_of_the_page_is_the_protocols(ruled, make_reading) -> None:
    known = ruled("budget 15")
    assert dict(sentences(known))["Search"] == search_words.search(known)
    assert "learning rates on 3 seeds" in dict(sentences(make_reading()))["Search"]


def test_the_verdict_names_what_was_chosen_besides_the_learning_rate(ruled) -> None:
    known = ruled("budget 15")
    best = known.summary.iloc[0]
    assert best["optimizer"] == "adam"
    assert best["hyperparameters"]["b1"] == 0.9
    described = known.document.optimizers["adam"]
    for default, words in ((0.9, "use adam at 1e-3: "), (0.95, "use adam at 1e-3 (b1 0.9): ")):
        defaults = {"learning_rate": 1e-3, "b1": default}
        entry = msgspec.structs.replace(described, defaults=defaults)
        document = msgspec.structs.replace(
            known.document, optimizers=known.document.optimizers | {"adam": entry}
        )
        assert verdict(dataclasses.replace(known, document=document)).startswith(words)
    assert json.loads(known.runs["hyperparameters"].iloc[0])["b1"] == 0.9
