"""What every statistic of the product is held against, and by which test."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SOURCES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Student's interval and paired test",
        "worked by hand; closed forms of two and three pairs",
        (
            "analysis/test_statistics.py::test_interval_of_five_values_worked_by_hand",
            "analysis/test_statistics.py::test_interval_of_two_values_in_closed_form",
            "analysis/test_statistics.py::test_paired_test_with_two_pairs_in_closed_form",
            "analysis/test_statistics.py::test_paired_test_with_three_pairs_in_closed_form",
        ),
    ),
    (
        "Holm's correction",
        "worked by hand",
        ("analysis/test_statistics.py::test_holm_worked_by_hand",),
    ),
    (
        "bootstrap of paired differences (mean, median, IQM; percentile and BCa)",
        "`scipy.stats.bootstrap`, to the last digit with the same generator",
        ("analysis/test_bootstrap.py::test_the_interval_is_scipys",),
    ),
    (
        "expanded percentile interval",
        "its formula by hand; Student's interval of many values; simulated coverage",
        (
            "analysis/test_bootstrap.py::test_the_expansion_worked_for_ten_values",
            "analysis/test_bootstrap.py::test_the_expanded_interval_of_a_mean_is_close_to_students",
            "analysis/test_bootstrap.py::test_the_expanded_interval_covers_what_it_promises",
        ),
    ),
    (
        "aggregates over runs and tasks, stratified bootstrap",
        "rliable 1.2.0's figures; `scipy.stats.bootstrap` for one task",
        (
            "analysis/test_bootstrap.py::test_aggregates_and_their_intervals_are_rliables",
            "analysis/test_bootstrap.py::"
            "test_the_stratified_interval_of_one_task_is_scipys_percentile_interval",
        ),
    ),
    (
        "Wilcoxon's signed-rank test",
        "`scipy.stats.wilcoxon`; all patterns of signs counted; worked by hand",
        (
            "analysis/test_pairs.py::test_wilcoxon_is_scipys_and_that_of_all_signs",
            "analysis/test_pairs.py::test_wilcoxon_worked_by_hand",
        ),
    ),
    (
        "probability of improvement",
        "rliable 1.2.0's figures; `scipy.stats.mannwhitneyu`",
        (
            "analysis/test_pairs.py::test_probability_of_improvement_and_its_interval_are_rliables",
            "analysis/test_pairs.py::test_probability_of_improvement_is_mann_whitneys",
        ),
    ),
    (
        'equivalence, "no difference larger than d"',
        "two one-sided tests of `scipy.stats.ttest_1samp`; simulated level",
        (
            "analysis/test_pairs.py::test_equivalence_is_the_larger_of_scipys_two_tests",
            "analysis/test_pairs.py::"
            "test_no_difference_larger_than_d_is_false_in_at_most_one_of_twenty",
        ),
    ),
    (
        "expected best of k trials",
        "brute force over all subsets, and over all draws with repetition; order statistics of "
        "uniform figures",
        (
            "analysis/test_measures.py::test_the_expected_best_is_the_mean_over_all_subsets",
            "analysis/test_measures.py::test_with_replacement_it_is_the_mean_over_all_draws",
            "analysis/test_measures.py::"
            "test_the_expected_best_of_uniform_trials_is_their_order_statistic",
        ),
    ),
    (
        "Friedman's test",
        "`scipy.stats.friedmanchisquare`; the worked example of Demsar (2006)",
        (
            "analysis/test_across.py::test_friedman_is_scipys",
            "analysis/test_across.py::test_demsars_worked_example",
        ),
    ),
    (
        "Nemenyi's test and the critical difference",
        "scikit-posthocs 0.17.1's p-values; Demsar's worked example and table of critical values",
        (
            "analysis/test_across.py::test_nemenyi_is_that_of_scikit_posthocs",
            "analysis/test_across.py::test_demsars_worked_example",
            "analysis/test_across.py::test_demsars_table_of_critical_values",
        ),
    ),
    (
        "performance profiles and AlgoPerf's score",
        "the published leaderboard of AlgoPerf 0.5, external tuning, from its published times, to "
        "all four digits (Shampoo 0.7784, schedule-free AdamW 0.7077); worked by hand",
        (
            "analysis/test_across.py::test_the_published_leaderboard_of_algoperf",
            "analysis/test_across.py::test_a_score_worked_by_hand",
        ),
    ),
    (
        "A/A, power and coverage of the whole rule",
        "closed forms (level, noncentral t), small versions of what is on this page",
        (
            "benchmarks/test_validity.py::test_equal_optimizers_are_not_distinguishable",
            "benchmarks/test_validity.py::test_a_planted_difference_is_found_at_the_stated_rate",
            "benchmarks/test_validity.py::test_intervals_cover_what_they_promise",
        ),
    ),
    (
        "order and repetition",
        "the same study in another order, another process, another folder: equal to the bit",
        (
            "test_protocols.py::test_the_order_of_the_optimizers_changes_no_figure",
            "test_study.py::test_runs_are_the_same_in_another_process_and_order",
            "benchmarks/test_validity.py::test_the_order_of_stored_runs_changes_nothing",
            "benchmarks/test_validity.py::test_a_study_made_twice_says_the_same",
        ),
    ),
)
"""Statistic, independent source, and the tests, under ``tests/``."""


def missing(root: Path = ROOT) -> list[str]:
    """The tests of `SOURCES` that are not there."""
    named = [test for _, _, tests in SOURCES for test in tests]
    return [test for test in named if not _exists(root / "tests", test)]


def _exists(tests: Path, named: str) -> bool:
    file, _, name = named.partition("::")
    path = tests / file
    return path.is_file() and f"def {name}(" in path.read_text("utf-8")
