"""Which runs a study asks for: counted, paired, widened, and finished on fresh seeds."""

from __future__ import annotations

import pytest

from fallline import optimizers
from fallline.planning import plan
from fallline.planning.config import StudyConfig
from fallline.planning.selection import Trial
from fallline.records import Run

NAMES = ("sgd", "adam", "gd_exact", "rprop")
RATELESS = "gd_exact"


def _config(**settings) -> StudyConfig:
    return StudyConfig(**{"optimizers": NAMES, "epochs": 4, "batch_size": 32, **settings})


def _chosen(*names: str) -> tuple[optimizers.Optimizer, ...]:
    return optimizers.resolve(names or NAMES)


def _best(name: str, rate: float | None = None) -> dict[str, Trial]:
    optimizer = optimizers.get(name)
    setting = optimizer.complete({} if rate is None else {"learning_rate": rate})
    return {name: Trial(name, setting, 0.9, 0.1, 0, 3)}


def _rates(runs: list[Run]) -> list[float]:
    return sorted({run.hyperparameters["learning_rate"] for run in runs})


def test_the_optimizer_without_a_learning_rate_is_one() -> None:
    assert optimizers.get(RATELESS).learning_rate is None
    assert plan.grid(optimizers.get(RATELESS), _config()) == ()


def test_a_grid_is_points_around_the_default_or_the_values_given() -> None:
    adam = optimizers.get("adam")
    assert plan.grid(adam, _config(learning_rates=3)) == (3.2e-4, 1e-3, 3.2e-3)
    assert plan.grid(adam, _config(learning_rates=(0.5, 0.7))) == (0.5, 0.7)
    assert plan.grid(adam, _config(defaults=True)) == (1e-3,)
    assert plan.grid(adam, _config(defaults=True, learning_rates=(0.5,))) == (1e-3,)


def test_a_search_is_every_rate_on_every_seed() -> None:
    runs = plan.search_runs(_chosen(), _config(seeds=3, learning_rates=5))
    assert len(runs) == len({run.run_id for run in runs}) == 3 * (5 + 5 + 1 + 5)
    for name in NAMES:
        own = [run for run in runs if run.optimizer == name]
        trials = {run.trial for run in own}
        # Paired: every setting of every optimizer is run on the same seeds.
        for trial in trials:
            assert sorted(run.seed for run in own if run.trial == trial) == [0, 1, 2]
    assert {run.phase for run in runs} == {"search"}
    assert {run.epochs for run in runs} == {4}
    assert {run.optimizer for run in runs if run.full_batch} == {"gd_exact", "rprop"}


def test_runs_hold_every_hyperparameter() -> None:
    for run in plan.search_runs(_chosen("adam"), _config(learning_rates=2)):
        assert set(run.hyperparameters) == set(optimizers.get("adam").defaults)
        assert len(run.hyperparameters) > 2


def test_without_a_search_nothing_is_searched() -> None:
    config = _config(defaults=True, final_seeds=2)
    assert plan.search_runs(_chosen(), config) == []
    finals = plan.final_runs(_chosen(), config, {})
    assert len(finals) == 2 * len(NAMES)
    for run in finals:
        assert run.hyperparameters == optimizers.get(run.optimizer).defaults


def test_the_chosen_setting_is_run_on_fresh_seeds_alone() -> None:
    config = _config(seeds=3, final_seeds=2)
    best = _best("sgd", 0.32) | _best("adam", 0.01) | _best(RATELESS) | _best("rprop", 0.1)
    finals = plan.final_runs(_chosen(), config, best)
    assert len(finals) == 2 * len(NAMES)
    searched = {run.seed for run in plan.search_runs(_chosen(), config)}
    for run in finals:
        assert run.phase == "final"
        assert run.seed in config.fresh_seeds
        assert run.seed not in searched
        assert run.hyperparameters == best[run.optimizer].hyperparameters
    assert {run.optimizer for run in finals if run.full_batch} == {"gd_exact", "rprop"}
    assert finals[0].hyperparameters is not best["sgd"].hyperparameters


@pytest.mark.parametrize(
    ("best", "added"),
    [(3.2e-3, [1e-2, 3.2e-2]), (3.2e-4, [3.2e-5, 1e-4]), (1e-3, [])],
    ids=["up", "down", "inside"],
)
def test_a_best_on_the_border_is_widened(best: float, added: list[float]) -> None:
    config, adam = _config(learning_rates=3, seeds=2), _chosen("adam")
    searched = plan.search_runs(adam, config)
    more = plan.widening_runs(adam, config, searched, _best("adam", best), 0)
    assert _rates(more) == added
    assert len(more) == 2 * len(added)
    assert {run.seed for run in more} <= {0, 1}
    assert {run.phase for run in more} <= {"search"}
    assert not {run.run_id for run in more} & {run.run_id for run in searched}


def test_each_optimizer_is_widened_for_itself() -> None:
    config, chosen = _config(learning_rates=3, seeds=1), _chosen("sgd", "adam", RATELESS)
    searched = plan.search_runs(chosen, config)
    best = _best("sgd", 0.032) | _best("adam", 3.2e-4) | _best(RATELESS)
    more = plan.widening_runs(chosen, config, searched, best, 0)
    assert [(run.optimizer, run.hyperparameters["learning_rate"]) for run in more] == [
        ("sgd", 0.1),
        ("sgd", 0.32),
        ("adam", 3.2e-5),
        ("adam", 1e-4),
    ]


def test_widening_goes_on_from_what_was_added_and_ends() -> None:
    config, sgd = _config(learning_rates=3, seeds=1), _chosen("sgd")
    runs = plan.search_runs(sgd, config)
    rounds = 0
    while more := plan.widening_runs(sgd, config, runs, _best("sgd", max(_rates(runs))), rounds):
        runs += more
        rounds += 1
        assert rounds < 100
    assert rounds == plan.MOST_WIDENINGS == 4
    assert len(_rates(runs)) == 3 + 2 * rounds
    assert len({run.run_id for run in runs}) == len(runs)


@pytest.mark.parametrize(
    "settings",
    [{"learning_rates": (0.001, 0.01)}, {"learning_rates": 1}, {"widen": False}],
    ids=["named by the user", "a single point", "switched off"],
)
def test_what_is_not_to_be_widened_is_not(settings: dict) -> None:
    config, sgd = _config(**settings), _chosen("sgd")
    searched = plan.search_runs(sgd, config)
    for rate in _rates(searched):
        assert plan.widening_runs(sgd, config, searched, _best("sgd", rate), 0) == []


def test_every_entry_of_the_catalogue_takes_its_grid_and_all_its_widenings() -> None:
    for optimizer in optimizers.resolve("all"):
        config = _config(optimizers=(optimizer.name,), seeds=1)
        for edge in (max, min):
            runs = plan.search_runs((optimizer,), config)
            assert len(runs) == (1 if optimizer.learning_rate is None else 7)
            for round_ in range(plan.MOST_WIDENINGS if optimizer.learning_rate else 0):
                best = _best(optimizer.name, edge(_rates(runs)))
                runs += plan.widening_runs((optimizer,), config, runs, best, round_)
                assert len(runs) == 7 + 2 * (round_ + 1)
