"""The page of a series: self-contained, escaped, with every part that its findings have."""

from __future__ import annotations

import html.parser
import json
import math
import re

import numpy as np
import pytest

from fallline.planning import studyfile
from fallline.report import reproduction_figures as figures
from fallline.report import reproduction_page as page
from fallline.report import reproduction_words as words
from fallline.report.reproduction_lines import BRIGHT, MOST_POINTS, ordered_axis
from fallline.report.scales import scale
from made_series import TREE, evil, findings_of, runs_of

EVIL = "<script>alert(1)</script>"


class Outline(html.parser.HTMLParser):
    """Tags, what attributes load, text outside scripts, and scripts by their id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.words, self.scripts = [], [], [], {}
        self._open, self._id = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag in ("script", "style"):
            self._open.append(tag)
            self._id = dict(attrs).get("id", "")

    def handle_endtag(self, tag):
        if self._open and tag == self._open[-1]:
            self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.scripts[self._id] = self.scripts.get(self._id, "") + data
        else:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def findings():
    return findings_of(TREE, runs_of(TREE), chosen={"batches": {"batch": "8"}})


@pytest.fixture(scope="module")
def whole(findings):
    return page.render(findings)


@pytest.fixture(scope="module")
def outline(whole):
    return Outline(whole)


def panels_by_kind(findings, stage):
    return {panel.kind: panel for panel in figures.panels(findings) if panel.stage == stage}


# -- the page ---------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_stays_small(whole, outline):
    assert outline.loads == []
    assert "link" not in outline.tags
    assert "@import" not in whole[:20000]
    assert len(whole.encode()) < 6_000_000


def test_the_page_has_its_parts_in_their_order(outline):
    parts = (
        "A made-up series",
        "As it should be: validation data chooses",
        "What it is.",
        "What it hides.",
        "claims that hold",
        "What becomes of the claims",
        "slow is better",
        "It is not, once both are tuned.",
        "Published beside ours",
        "The settings",
        "Tuned beside untuned",
        "What the stages chose",
        "Batches: chose batch 8.",
        "How it was measured",
        "Trained: task digits-mlp, 3 epochs.",
        "Varied: batch (8; 32; all), and optimizer (slow; fast).",
        "Each setting is measured on 4 fresh seeds.",
        "the learning rates 0.01, 0.1 on 1 seed",
        "A processor",
        "0.1.0",
        "A. Writer, The text, 2020.",
    )
    body = outline.text.split("fallline · made-up")[1]
    places = [body.rfind(part) if part == parts[-1] else body.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_every_panel_has_its_place_and_its_data(findings, whole, outline):
    content = json.loads(outline.scripts["content"])
    keys = [panel.key for panel in figures.panels(findings)]
    assert [panel["key"] for panel in content] == keys
    assert sorted(re.findall(r'data-panel="([^"]+)"', whole)) == sorted(keys)


def test_the_tiles_count(findings):
    tiles = {tile["label"]: tile for tile in page.tiles(findings, words.cards(findings))}
    assert tiles["claims that hold"]["figure"] == "1"
    assert tiles["the reverse holds"]["figure"] == "1"
    assert tiles["cannot be told"]["figure"] == "0"
    assert tiles["published figures fit"]["figure"] == f"{sum(findings.published['inside'])} of 3"
    assert tiles["runs"]["figure"] == "64"
    assert tiles["trained"]["figure"] == "2 min 08 s"


def test_published_figures_that_were_not_measured_are_not_counted():
    late = [row | {"epoch": 9} for row in TREE["published"]]
    found = findings_of(TREE | {"published": late}, runs_of(TREE))
    assert len(found.published) == 3
    labels = [tile["label"] for tile in page.tiles(found, words.cards(found))]
    assert "published figures fit" not in labels


def test_names_are_escaped_everywhere(outline):
    found = evil(EVIL)
    written = page.render(found)
    assert EVIL not in written
    told = Outline(written)
    assert told.text.count(EVIL) > 30
    # The same scripts as on a usual page, and nothing more.
    assert told.tags.count("script") == outline.tags.count("script")
    labels = 0
    for panel in json.loads(told.scripts["content"]):
        for chart in panel["charts"]:
            drawn = [chart["title"], chart["x_title"], *chart["labels"], *chart["short"]]
            drawn += [text for dots in chart["dots"] for text in dots["texts"]]
            drawn += [line["label"] for line in chart["lines"]]
            assert "<script" not in "".join(drawn)
            labels += "&lt;script&gt;" in "".join(drawn)
    assert labels > 10


# -- what is missing --------------------------------------------------------------------------


def test_a_single_seed_has_no_verdict_and_no_interval():
    found = findings_of(TREE, runs_of(TREE, seeds=1))
    text = Outline(page.render(found)).text
    assert "too few seeds" in text
    assert "a single seed: no interval" in text
    dots = panels_by_kind(found, "batches")["published"].charts[0].dots
    assert np.isnan(dots[0].low).all()


def test_without_publication_claims_and_published_figures():
    tree = {k: v for k, v in TREE.items() if k not in ("publication", "claims", "published")}
    found = findings_of(tree, runs_of(tree))
    text = Outline(page.render(found)).text
    assert "In full, as its file says." in text
    for absent in ("What becomes of the claims", "Published beside ours", "The publication"):
        assert absent not in text
    assert "published" not in panels_by_kind(found, "batches")


def test_diverged_settings_are_said_and_end_where_they_diverged():
    found = findings_of(TREE, runs_of(TREE, gone=("8, slow", "slow")))
    text = Outline(page.render(found)).text
    assert "(4 of 4 diverged)" in text
    assert "16 diverged" in text
    curves = panels_by_kind(found, "optimizers")["curves"].charts[0]
    assert {line.name: len(line.x) for line in curves.lines} == {"slow": 2, "fast": 3}


def test_an_incomplete_series_says_so():
    found = findings_of(TREE, runs_of(TREE, stages=("batches",)), complete=False)
    text = Outline(page.render(found)).text
    assert "The series is not complete" in text
    assert "Not yet measured." in text
    assert "fast is the best" not in text


def test_a_series_of_which_nothing_is_measured_is_a_page():
    found = findings_of(TREE, runs_of(TREE, stages=()), complete=False)
    outline = Outline(page.render(found))
    assert "Not yet measured." in outline.text
    assert json.loads(outline.scripts["content"]) == []
    assert outline.tags.count("script") == 1


# -- charts -----------------------------------------------------------------------------------


def test_published_figures_stand_beside_ours(findings):
    accuracy, loss = panels_by_kind(findings, "batches")["published"].charts
    ours, theirs = accuracy.dots
    row = findings.published.iloc[0]
    assert (accuracy.title, accuracy.labels) == ("test accuracy", ("8, slow",))
    assert (theirs.values[0], ours.values[0]) == (0.9, row["ours"])
    assert (ours.low[0], ours.high[0]) == (row["low"], row["high"])
    assert loss.scale.low <= loss.dots[0].values[0] <= loss.scale.high
    epoch = panels_by_kind(findings, "optimizers")["published"].charts[0]
    assert epoch.labels == ("fast, epoch 1",)


def test_figures_are_drawn_over_an_ordered_axis(findings):
    axis = panels_by_kind(findings, "batches")["axis"].charts[0]
    assert (axis.labels, axis.x_title) == (("8", "32", "all"), "batch")
    lines = {(line.name, line.mode): line for line in axis.lines}
    assert set(lines) == {(n, m) for n in ("slow", "fast") for m in ("untuned", "tuned")}
    rows = findings.settings.set_index(["mode", "setting"])
    expected = [rows.loc[("tuned", f"{b}, fast"), "test_metric"] for b in ("8", "32", "all")]
    np.testing.assert_array_equal(lines["fast", "tuned"].mean, expected)
    np.testing.assert_array_equal(lines["slow", "untuned"].theirs, [0.9, math.nan, math.nan])
    assert lines["fast", "untuned"].theirs is None
    assert lines["slow", "tuned"].theirs is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("all", "256", "8"), ("8", "256", "all")),
        (("20", "75", "75-75"), None),
        (("1", "2"), None),
        (("a", "b", "c"), None),
    ],
)
def test_an_ordered_axis_is_one_of_numbers(labels, expected):
    found = ordered_axis([{"x": label} for label in labels])
    assert found == (None if expected is None else ("x", expected))


def test_tuned_beside_untuned_carries_the_ranks(findings):
    chart = panels_by_kind(findings, "optimizers")["tuning"].charts[0]
    assert chart.labels == ("slow (1 → 2)", "fast (2 → 1)")
    untuned, tuned = chart.dots
    assert (untuned.role, tuned.role) == ("untuned", "tuned")
    assert untuned.values[0] > tuned.values[0]
    assert "rank 2" in tuned.texts[0]


def test_curves_have_the_seeds_band(findings):
    panel = panels_by_kind(findings, "optimizers")["curves"]
    assert [tuple(chart.choices.values()) for chart in panel.charts[:2]] == [
        ("validation loss", "at the file's settings"),
        ("validation loss", "at searched learning rates"),
    ]
    runs = findings.runs
    own = runs[(runs["stage"] == "optimizers") & (runs["mode"] == "untuned")]
    curves = np.stack(list(own.loc[own["setting"] == "slow", "validation_loss_curve"]))
    line = panel.charts[0].lines[0]
    np.testing.assert_allclose(line.mean, curves.mean(axis=0))
    np.testing.assert_array_equal(line.low, curves.min(axis=0))
    np.testing.assert_array_equal(line.high, curves.max(axis=0))
    assert panel.bright == ("fast", "slow")


def test_of_many_settings_the_best_have_colours_of_their_own():
    tree = studyfile.merged(TREE, {"axes": {"optimizer": {f"o{n}": {} for n in range(9)}}})
    tree |= {"published": [], "claims": []}
    runs = runs_of(tree)
    runs.loc[runs["setting"] == "o7", "test_metric"] += 0.05
    panel = panels_by_kind(findings_of(tree, runs), "optimizers")["curves"]
    assert (len(panel.bright), panel.bright[0]) == (BRIGHT, "o7")
    styles = {line.name: line.style for line in panel.charts[0].lines}
    assert sorted(styles[name] for name in panel.bright) == list(range(BRIGHT))
    assert len(set(styles.values())) == len(styles) == 11


def test_long_curves_are_thinned_with_their_ends():
    runs = runs_of(TREE)
    curves = [np.linspace(1.0, 0.1, 300)] * len(runs)
    found = findings_of(TREE, runs.assign(validation_loss_curve=curves))
    line = panels_by_kind(found, "batches")["curves"].charts[0].lines[0]
    assert len(line.x) == MOST_POINTS
    assert (line.x[0], line.x[-1], line.mean[-1]) == (1.0, 300.0, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("values", "share", "kind"),
    [
        ([0.1, 0.9, 0.99], True, "share"),
        ([1.0, 1.0], True, "share"),
        ([0.7, 0.9], False, "linear"),
        ([0.0, 0.5, 20.0], False, "log"),
        ([0.0, 0.0], False, "linear"),
        ([math.nan], True, "share"),
    ],
)
def test_scales_hold_their_values_and_have_round_ticks(values, share, kind):
    made = scale(np.array(values), share=share)
    assert made.kind == kind
    assert made.low < made.high
    assert not share or made.high < 1.0
    assert len(made.ticks) >= 2
    assert all(made.low <= tick <= made.high for tick in made.ticks)
    least = 0.0 if kind != "log" else 1e-5
    known = [v for v in values if math.isfinite(v) and v > least]
    assert all(made.low <= v for v in known)
    assert len(made.texts()) == len(made.ticks)


# -- words ------------------------------------------------------------------------------------


def test_cards_say_what_became_of_a_claim(findings):
    first, second = words.cards(findings)
    assert [each.sign for each in first.judgements] == ["holds", "reversed"]
    assert [each.verdict for each in second.judgements] == ["the reverse holds", "holds"]
    row = findings.claims.iloc[0]
    assert (
        f"8, slow: test accuracy {100 * row['difference']:.2f} points higher"
        in (first.judgements[0].evidence[0])
    )
    assert "lower than" in first.judgements[1].evidence[0]


def test_a_claim_against_many_counts_them():
    tree = studyfile.merged(TREE, {"axes": {"optimizer": {n: {} for n in "abcd"}}})
    tree["claims"] = [{"stage": "optimizers", "text": "slow", "better": {"optimizer": "slow"}}]
    tree["published"] = []
    card = words.cards(findings_of(tree, runs_of(tree)))[0]
    assert card.judgements[0].summary == "Against 5 others: better than 5."
    assert card.last.summary == "Against 5 others: worse than 5."


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        (("quick",), "Quick: a short form"),
        (("as_published",), "As published: the data handling"),
    ],
)
def test_the_form_is_said(forms, expected):
    tree = TREE | {"quick": {"base": {"epochs": 1}}, "as_published": {"base": {"epochs": 9}}}
    file = studyfile.parse(tree, forms=forms)
    found = words.form_sentences(_with_file(file))
    assert found.startswith(expected)
    assert ("Here that is: 1 epoch." in found) == (forms == ("quick",))


def _with_file(file):
    import dataclasses

    plain = findings_of(TREE, runs_of(TREE, seeds=1, stages=()))
    return dataclasses.replace(plain, file=file)
