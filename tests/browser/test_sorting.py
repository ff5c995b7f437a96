"""The table of the optimizers in a browser: its columns sort, its rows are found."""

from __future__ import annotations

import pytest

import made_study
from made_study import make

TABLE = "table[data-equal]"
_SHOWN = """(table) => [...document.querySelectorAll(`${table} tbody tr`)]
  .filter((row) => row.checkVisibility())
  .map((row) => row.querySelector("th i").nextSibling.data.trim())"""
COLUMNS = [
    # the head's first words, the column of the summary, does the first press sort downwards?
    ("learning rate", "learning_rate", False),
    ("validation accuracy", "validation_metric", True),
    ("test accuracy", "test_metric", True),
    ("against the best", "difference", True),
    ("epochs to target", "epochs_to_target", False),
    ("time per step", "seconds_per_step", False),
]
ONLY = "only the best and those not distinguishable from it"


def shown(page):
    """The names in the table's rows, as far as they are visible, from the top."""
    return page.evaluate(_SHOWN, TABLE)


def press(page, head):
    page.locator(f"{TABLE} thead th", has_text=head).locator("button").click()


def sorted_by(page):
    return page.locator(f"{TABLE} thead [aria-sort]")


def tools(page):
    """The table's box to find rows by name, and what it tells."""
    return page.locator(".tools", has=page.get_by_label(ONLY))


@pytest.fixture(scope="module")
def summary():
    found = make().summary.copy()
    found.loc[found["relation"] == "best", "difference"] = 0.0
    return found.set_index("optimizer")


@pytest.fixture
def page(fresh):
    opened = fresh("study")
    yield opened.page
    assert opened.faults == []


def test_columns_sort_by_their_numbers(page, summary):
    given = shown(page)
    assert given == list(summary.index)
    for head, column, down in COLUMNS:
        values = summary[column].where(summary[column].abs() < float("inf"))
        assert values.nunique() > 3, column
        for ascending in (not down, down):
            press(page, head)
            ordered = values.sort_values(ascending=ascending, kind="stable", na_position="last")
            assert shown(page) == list(ordered.index), (head, ascending)
            now = sorted_by(page)
            assert now.count() == 1
            assert head in now.inner_text()
            assert now.get_attribute("aria-sort") == ("ascending" if ascending else "descending")
        press(page, head)
        assert shown(page) == given, f"a third press restores the order, {head}"
        assert sorted_by(page).count() == 0


def test_names_sort_as_words_and_bars_do_not(page, summary):
    press(page, "optimizer")
    assert shown(page) == sorted(summary.index)
    assert page.locator(f"{TABLE} thead th.bars button").count() == 0


def test_rows_are_found_by_their_names(page):
    find = tools(page).get_by_label("find optimizers")
    find.fill("ADA")
    assert shown(page) == [name for name in shown_names() if "ada" in name]
    assert (
        tools(page).locator("output").inner_text() == f"{len(shown(page))} of 17 optimizers shown"
    )
    find.fill("rprop, gd_")
    assert shown(page) == ["rprop", "gd_exact", "gd_backtracking"]
    press(page, "optimizer")
    assert shown(page) == ["gd_backtracking", "gd_exact", "rprop"]
    find.fill("nothing")
    assert tools(page).locator("output").inner_text() == "none of 17 optimizers shown"
    find.fill("")
    assert len(shown(page)) == 17
    assert tools(page).locator("output").inner_text() == ""


def shown_names():
    return make().summary["optimizer"].tolist()


def test_only_those_as_good_as_the_best(page, summary):
    equal = summary.index[summary["relation"].isin(["best", "not distinguishable"])]
    assert 1 < len(equal) < len(summary)
    page.get_by_label(ONLY).check()
    assert shown(page) == list(equal)
    tools(page).get_by_label("find optimizers").fill(equal[0])
    assert set(shown(page)) < set(equal)
    tools(page).get_by_label("find optimizers").fill("")
    page.get_by_label(ONLY).uncheck()
    assert len(shown(page)) == len(made_study.OPTIMIZERS)


def test_a_keyboard_does_all_of_it(page, summary):
    find = tools(page).get_by_label("find optimizers")
    find.focus()
    page.keyboard.type("momentum")
    assert shown(page) == ["momentum"]
    page.keyboard.press("Escape")
    assert len(shown(page)) == len(summary)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.get_by_label(ONLY).is_checked()
    assert len(shown(page)) < len(summary)
    page.keyboard.press("Space")
    head = page.locator(TABLE).get_by_role("button", name="test accuracy", exact=True)
    head.focus()
    for key, expected in (("Enter", "descending"), ("Space", "ascending")):
        page.keyboard.press(key)
        assert sorted_by(page).get_attribute("aria-sort") == expected


def test_chips_and_the_choice_of_all_work_with_the_keyboard(page):
    lines = "document.querySelectorAll('.chart')[0].querySelectorAll('.trace path.js-line')"
    coloured = f"[...{lines}].filter((line) => line.style.strokeWidth !== '1.1px').length"
    chips = page.locator(".chips").first
    chip = chips.get_by_role("button", name="adam", exact=True)
    pressed = chip.get_attribute("aria-pressed") == "true"
    before = page.evaluate(coloured)
    chip.focus()
    page.keyboard.press("Space")
    assert (chip.get_attribute("aria-pressed") == "true") is not pressed
    assert page.evaluate(coloured) != before
    page.keyboard.press("Enter")
    assert page.evaluate(coloured) == before
    chips.get_by_role("button", name="none", exact=True).press("Enter")
    assert page.locator(".chips [aria-pressed=true]").count() == 0


def test_the_arrows_choose_a_frameworks_code(page):
    code = page.locator(".code:visible")
    first = code.inner_text()
    page.locator("input[name=framework]:checked").focus()
    page.keyboard.press("ArrowRight")
    assert code.count() == 1
    assert code.inner_text() != first
