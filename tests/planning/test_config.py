"""What a study is asked, checked value by value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.errors import InputError
from fallline.planning.config import (
    DEFAULT_POINTS,
    FIRST_FINAL_SEED,
    StudyConfig,
    learning_rates_from,
    rates,
)


def _config(**settings) -> StudyConfig:
    return StudyConfig(**{"optimizers": ("adam",), "epochs": 10, "batch_size": 32, **settings})


def test_the_defaults_are_those_of_the_studies() -> None:
    config = _config()
    assert config.learning_rates == DEFAULT_POINTS == 7
    assert config.search_seeds == (0, 1, 2)
    assert len(config.fresh_seeds) == 5
    assert config.widen


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True, math.nan])
@pytest.mark.parametrize("name", ["epochs", "batch_size", "seeds", "final_seeds"])
def test_counts_must_be_whole_and_positive(name: str, value) -> None:
    with pytest.raises(InputError) as caught:
        _config(**{name: value})
    message = str(caught.value)
    assert message.endswith(f"must be a whole number of at least 1, got {value!r}")
    assert name in message.replace("-", "_")


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    config = _config(epochs=np.int64(4), seeds=np.uint8(2), learning_rates=np.int32(5))
    assert config == _config(epochs=4, seeds=2, learning_rates=5)
    assert type(config.epochs) is type(config.learning_rates) is int


@pytest.mark.parametrize("rate", [0.0, -0.1, math.nan, math.inf])
def test_learning_rates_must_be_positive_and_finite(rate: float) -> None:
    with pytest.raises(InputError, match="must be positive and finite, got") as caught:
        _config(learning_rates=(0.1, rate))
    assert str(rate) in str(caught.value)
    assert "0.001" in caught.value.hint


def test_learning_rates_must_be_given() -> None:
    with pytest.raises(InputError, match="no learning rate was given"):
        _config(learning_rates=())
    with pytest.raises(InputError, match=r"learning.rates must be a whole number .* got 0"):
        _config(learning_rates=0)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("7", 7),
        (" 1 ", 1),
        ("+3", 3),
        ("1e-3", (0.001,)),
        ("1.0", (1.0,)),
        ("0.001,0.01", (0.001, 0.01)),
        ("0.01, 0.001 ,0.01,", (0.001, 0.01)),
        ("1,2", (1.0, 2.0)),
    ],
)
def test_learning_rates_are_a_number_of_points_or_values(text: str, read) -> None:
    assert learning_rates_from(text) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "at least 1, got 0"),
        ("-3", "at least 1, got -3"),
        ("0.1,-0.2", "positive and finite, got -0.2"),
        ("nan", "positive and finite, got nan"),
        ("0.1,inf", "positive and finite, got inf"),
        ("0.1;0.2", "'0.1;0.2' is not a learning rate"),
        ("fast", "'fast' is not a learning rate"),
        ("--7", "'--7' is not a learning rate"),
        ("²", "'²' is not a learning rate"),
    ],
)
def test_what_is_no_learning_rate_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        learning_rates_from(text)


def test_an_empty_text_ends_in_an_error_of_the_configuration() -> None:
    with pytest.raises(InputError, match="no learning rate was given"):
        _config(learning_rates=learning_rates_from(" , "))


def test_values_are_sorted_and_each_once() -> None:
    assert rates(["0.1", 0.01, np.float32(0.5), 0.1]) == (0.01, 0.1, 0.5)
    with pytest.raises(InputError, match="None is not a learning rate"):
        rates([None])


def test_without_a_search_there_are_no_search_seeds() -> None:
    config = _config(defaults=True, seeds=9, final_seeds=4)
    assert config.search_seeds == ()
    assert len(config.fresh_seeds) == 4


@given(seeds=st.integers(1, FIRST_FINAL_SEED), final_seeds=st.integers(1, 500))
def test_fresh_seeds_were_never_searched_with(seeds: int, final_seeds: int) -> None:
    config = _config(seeds=seeds, final_seeds=final_seeds)
    assert len(set(config.search_seeds)) == seeds
    assert len(set(config.fresh_seeds)) == final_seeds
    assert not set(config.search_seeds) & set(config.fresh_seeds)


def test_a_search_that_would_reach_the_fresh_seeds_is_refused() -> None:
    with pytest.raises(InputError, match="--seeds must be at most 1000, got 1001"):
        _config(seeds=FIRST_FINAL_SEED + 1)
