"""Sides as processes: their answers, their failures, and how long they are let train."""

import sys

import numpy as np
import pytest
from scipy.special import logsumexp

import stepping
from workers import HERE, LeftOut, Lengths, Team, Worker


@pytest.fixture
def worker(tmp_path):
    line = [sys.executable, str(HERE / "peaks.py"), "--library", "numpy"]
    made = Worker(line, {}, None, tmp_path / "log")
    yield made
    made.end()


def test_a_side_answers_and_says_what_went_wrong(worker):
    assert worker.answer(60)["library"] == "numpy"
    worker.tell({"do": "stream", "seconds": 0.01, "held": 80_000})
    assert worker.answer(60)["rate"] > 0
    worker.tell({"do": "sing"})
    with pytest.raises(LeftOut, match="KeyError: 'sing'"):
        worker.answer(60)
    with pytest.raises(LeftOut, match="no answer within"):
        worker.answer(0.01)


def test_a_side_that_ended_is_left_out_with_its_last_words(tmp_path):
    line = [sys.executable, "-c", "raise SystemExit('no compiler here')"]
    worker = Worker(line, {}, None, tmp_path / "log")
    with pytest.raises(LeftOut, match=r"ended with 1: no compiler here"):
        worker.answer(60)
    worker.end()


class Member:
    """Stands for a process that has trained already."""

    def __init__(self, **said):
        self.said = said

    def tell(self, asked):
        self.asked = asked

    def answer(self, limit):
        return self.said


def test_a_team_takes_from_its_first_begin_to_its_last_end():
    members = [Member(began=10.0, ended=11.5, steps=30), Member(began=10.25, ended=12.0, steps=20)]
    timed = Team(list, members).train(1, 30, limit=1)
    assert (timed.seconds, timed.steps) == (2.0, 50)
    assert timed.per_step == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [(0.3, (1, 2)), (40.4, (1, 40)), (100, (1, 100)), (260, (3, 100))],
)
def test_trainings_are_a_part_of_an_epoch_or_whole_ones(wanted, given):
    assert Lengths(available=100, seconds=1.0).of(wanted) == given


def test_a_full_batch_makes_epochs_of_one_step():
    assert Lengths(available=1, seconds=1.0).of(0.5) == (2, 1)
    assert Lengths(available=1, seconds=1.0).of(7) == (7, 1)


def test_runs_are_never_shorter_than_asked():
    assert Lengths(available=50, seconds=1.0, least=100).of(3) == (2, 50)


def test_cross_entropy_is_that_of_its_definition():
    outputs = np.random.default_rng(0).normal(size=(7, 4)) * 30
    y = np.array([0, 1, 2, 3, 0, 1, 2])
    wanted = np.mean(logsumexp(outputs, axis=1) - outputs[np.arange(7), y])
    assert stepping.cross_entropy(outputs, y) == pytest.approx(wanted, rel=1e-12)
