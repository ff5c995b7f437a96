"""What is said of a suite: verdicts, warnings, tables and the page, on made-up figures."""

from __future__ import annotations

import re

import numpy as np
import pytest

import made_suite
from fallline.report import suite_figures, suite_page, suite_tables, suite_words
from made_suite import THREE, Made


def spread(level: float) -> tuple[float, ...]:
    return (level - 0.01, level, level + 0.01)


def agreeing(tasks: int, optimizers=("adam", "sgd", "rmsprop"), *, gap: float = 0.1):
    """Tasks on which the optimizers are in the same order, ``gap`` apart."""
    figures = {name: spread(0.9 - gap * at) for at, name in enumerate(optimizers)}
    made = Made(figures, dict.fromkeys(optimizers, 1))
    return {f"task-{at}": made for at in range(tasks)}


def noisy(tasks: int, optimizers: int):
    """Tasks that agree on the order, though none of them can tell it."""
    names = [f"opt{at}" for at in range(optimizers)]
    noise = ((0.05, -0.05, 0.0), (-0.05, 0.05, 0.0), (0.0, -0.05, 0.05))
    figures = {
        name: tuple(0.8 - 0.001 * at + np.array(noise[at % 3])) for at, name in enumerate(names)
    }
    return {f"task-{at}": Made(figures, dict.fromkeys(names, 1)) for at in range(tasks)}


@pytest.fixture(scope="module")
def three():
    return made_suite.reading(THREE)


@pytest.fixture(scope="module")
def two_agreeing():
    return made_suite.reading(agreeing(2))


def test_a_verdict_that_shows_none_to_be_best(three):
    assert suite_words.verdict(three) == (
        "no optimizer is shown to be best over these 3 tasks: sgd has the best average rank "
        "(1.3 of 3), but adam does distinguishably better on first"
    )


def test_who_wins_everywhere_is_recommended_with_what_that_does_not_show(two_agreeing):
    assert suite_words.verdict(two_agreeing) == (
        "use adam: on each of these 2 tasks it does distinguishably better than every other "
        "optimizer; 2 tasks cannot show that it would on others"
    )


def test_ranks_over_many_tasks_can_show_it():
    # 3 optimizers in the same order on 12 tasks: the critical difference is 2.343 / sqrt(6).
    found = made_suite.reading(noisy(12, 3))
    assert not found.won.any(), "no task alone can tell them apart"
    assert suite_words.verdict(found) == (
        "use opt0: its average rank over these 12 tasks, 1.0, is better than that of every other "
        "optimizer by more than the critical difference of 0.96 (Nemenyi, 5 %)"
    )
    assert suite_words.few_tasks(found) == ""


def test_shared_leads_and_unbeaten_ones():
    first, second = THREE["first"], THREE["second"]
    tied = made_suite.reading({"first": first, "second": second})
    assert suite_words.verdict(tied).endswith("sgd and adam share the best average rank (1.5)")
    unbeaten = made_suite.reading(noisy(2, 3))
    assert suite_words.verdict(unbeaten).endswith(
        "opt0 has the best average rank (1.0 of 3), and on none of them does another do "
        "distinguishably better"
    )


def test_what_is_unfinished_is_said_first():
    found = made_suite.reading(THREE, unfinished=["second"])
    assert suite_words.verdict(found).startswith("the suite is not finished: 2 of 3 tasks are")
    assert suite_words.warnings(found)[0].startswith("Not finished, and not counted: second.")
    none = made_suite.reading(THREE, unfinished=list(THREE))
    assert suite_words.verdict(none) == (
        "the suite is not finished: none of its 3 tasks is measured yet"
    )


def test_few_tasks_are_said_to_be_few(two_agreeing, three):
    two = suite_words.few_tasks(two_agreeing)
    # exp(-2): chi-squared 4 with 2 degrees of freedom
    assert "cannot reject with so few: its p-value is 0.14 even where all tasks agree" in two
    hardly = "can hardly reject: average ranks must differ by 1.91, and can differ by 2 at most."
    assert hardly in suite_words.few_tasks(three)
    pair = suite_words.few_tasks(made_suite.reading(agreeing(3, ("adam", "sgd"))))
    assert "needs three optimizers" in pair


def test_warnings_of_shared_data_seeds_targets_and_divergence():
    shared = {
        name: Made(made.figures, made.reached, made.metric, source="The same archive")
        for name, made in THREE.items()
    }
    shared["third"] = Made(THREE["third"].figures, dict.fromkeys(THREE["third"].figures, 0))
    said = "\n".join(suite_words.warnings(made_suite.reading(shared, rule="defaults")))
    assert "Trained on the same data, and so no independent tasks: first and second." in said
    assert "With only 3 fresh seeds" in said
    assert "Nobody reaches the target of third in its median seed" in said
    assert "rank last on their task: rmsprop 1." in said
    assert "ranks the defaults" in said


def test_the_table_as_text(three):
    text = suite_tables.text_table(three)
    assert text.columns[:5] == ("optimizer", "average rank", "first", "second", "third")
    assert text.rows[0][:5] == ("sgd", "1.33", "82.0 % (2) ", "0.420 (1) ", "85.3 % (1) ")
    assert text.rows[1][4] == "85.0 % (2)="
    assert text.rows[2][3] == "1 of 3 diverged (3)"


def test_the_diagram_places_ranks_and_joins_what_cannot_be_told_apart(three, two_agreeing):
    drawn = suite_figures.diagram(three)
    assert [row.optimizer for row in drawn.rows] == ["sgd", "adam", "rmsprop"]
    assert [row.place for row in drawn.rows] == pytest.approx([1 / 6, 1 / 3, 1], abs=1e-3)
    assert drawn.ticks == ((1, 0.0), (2, 0.5), (3, 1.0))
    assert [(group.first, group.last) for group in drawn.groups] == [(0, 2)]
    assert not drawn.too_long
    assert suite_figures.diagram(two_agreeing).too_long


def test_the_profiles_lines_step_where_the_shares_do(three):
    chart = suite_figures.profile_chart(three)
    sgd = next(trace for trace in chart["data"] if trace["meta"]["optimizer"] == "sgd")
    assert sgd["x"] == [1.0, 2.0, 2.0, 4.0]
    assert np.diff(sgd["y"]).round(4).tolist() == [0.0, 0.3333, 0.0]
    assert sgd["text"][0] == "2 of 3 tasks within 1 times the fastest"
    nobody = {
        name: Made(made.figures, dict.fromkeys(made.figures, 0))
        for name, made in agreeing(2).items()
    }
    assert suite_figures.profile_chart(made_suite.reading(nobody)) is None


@pytest.fixture(scope="module")
def page(three) -> str:
    return suite_page.render(three, {name: f"{name}/report.html" for name in THREE})


def test_the_page_says_it_all(page):
    text = re.sub(r"\s+", " ", re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.DOTALL))
    for words in (
        "No optimizer is shown to be best over these 3 tasks",
        "82.0 % ± 5.0 2 · worse",
        "3 · 1 of 3 diverged",
        "Optimizers that a bar at the right joins cannot be told apart",
        "Friedman's test does not reject",
        "chi-squared 4.67, p 0.097",
        "1–1–1",
        "first 50.0 %, second 0.500",
        "The task second",
        "Paper of adam",
        "fingerprint",
    ):
        assert words in text, words


def test_the_page_links_to_each_tasks_report_and_loads_nothing(page):
    written = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert set(re.findall(r'href="([^"]+)"', written)) == {f"{n}/report.html" for n in THREE}
    assert not re.search(r'<(?:link|img|iframe)\b|src="', written)


def test_names_are_escaped():
    script = "<script>alert(1)</script>"
    made = {script: THREE["first"], "two": THREE["third"]}
    page = suite_page.render(made_suite.reading(made), {})
    assert script not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_suite_without_measured_tasks_has_a_page():
    page = suite_page.render(made_suite.reading(THREE, unfinished=list(THREE)), {})
    assert "The suite is not finished: none of its 3 tasks is measured yet." in page
    assert "Not finished: it counts nowhere on this page." in page
