"""The page: self-contained, escaped, sized, and with every part that a study has."""

from __future__ import annotations

import html.parser
import json
import re

import numpy as np
import pandas as pd
import pytest

from fallline.report import figure_tables, page

EVIL = "<script>alert(1)</script>"


class Outline(html.parser.HTMLParser):
    """The elements of a page: tags, attributes that load something, text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.scripts: dict[str, str] = {}
        self._open: list[str] = []
        self._id = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag in ("script", "style"):
            self._open.append(tag)
            self._id = given.get("id", "")

    def handle_endtag(self, tag):
        if self._open and tag == self._open[-1]:
            self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.scripts[self._id] = self.scripts.get(self._id, "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def whole(reading):
    return page.render(reading)


@pytest.fixture(scope="module")
def outline(whole):
    return Outline(whole)


def test_the_page_loads_nothing(whole, outline):
    assert outline.loads == []
    assert "link" not in outline.tags
    assert "@import" not in whole[:20000]
    assert len(whole.encode()) < 8_000_000


def test_the_page_has_its_parts(outline):
    for part in (
        "Digits, a small network Which optimizer trains it best? 17 compared",
        "Use nadam at 1e-3: ",
        "7 of 406 runs diverged",
        "The optimizers, best first",
        "How it was compared",
        "7 learning rates on 3 seeds",
        "How far apart they are",
        "Difference to nadam seed by seed, in percentage points",
        "How hard they are to tune",
        "Who leads in expectation: ",
        "Where training broke down",
        "Every pair",
        "How fast they are",
        "Where the study's time went",
        "All measures",
        "What each column means",
        "Configuration",
        "Machine and versions",
        "A processor",
        "0.10.2",
        "The paper of adam (2015)",
        "one step an epoch",
    ):
        assert part in outline.text, part
    # As good ones, main table, three strips, diverged, pairs, two of times, all measures.
    assert outline.tags.count("table") == 10


def test_the_table_has_a_row_per_optimizer(reading):
    from fallline.report.formats import metric_format

    rows = page.rows(reading, metric_format(reading.document.task))
    assert [row["optimizer"] for row in rows] == reading.summary["optimizer"].tolist()
    assert rows[0]["relation"] == "best"
    assert rows[-1]["relation"] == "worse"
    assert rows[-1]["evidence"].endswith("p < 0.001")
    assert rows[0]["evidence"] == ""


def test_the_scripts_content_is_json(outline):
    content = json.loads(outline.scripts["content"])
    assert [chart["key"] for chart in content["charts"]] == [
        "validation_metric",
        "validation_loss",
        "train_metric",
        "train_loss",
        "sensitivity",
        "expected_trials",
        "expected_seconds",
        "profile",
    ]
    assert len(content["styles"]) == 17


def test_every_place_for_a_chart_has_its_chart(whole, outline):
    content = json.loads(outline.scripts["content"])
    keys = {chart["key"] for chart in content["charts"]}
    places = set(re.findall(r'data-(?:chart|show)="([^"]+)"', whole))
    assert places == keys


def test_every_figure_has_a_sentence_on_how_to_read_it(whole):
    figures = re.findall(r"<figure.*?</figure>", whole, re.DOTALL)
    # The four curves share the one above them.
    own = [figure for figure in figures if "train_" not in figure and "validation_" not in figure]
    assert len(own) == 7
    for figure in own:
        assert re.search(r'<p class="lead">[^<]{40,}', figure), figure[:200]


def test_the_matrix_has_a_cell_for_every_pair(whole):
    matrix = whole[whole.index('aria-label="Every pair of optimizers"') :]
    matrix = matrix[: matrix.index("</table>")]
    assert matrix.count('class="face0"') == 17 * 16
    assert matrix.count('class="none"') == 17
    assert "nadam against gd: better" in matrix


def test_bibtex_is_shown_where_there_is_any(make_reading):
    import msgspec

    reading = make_reading(optimizers=("adam", "sgd"))
    assert "BibTeX" not in page.render(reading)
    entry = "@article{one,\n  title = {A paper}\n}"
    described = {
        name: msgspec.structs.replace(each, bibtex=entry)
        for name, each in reading.document.optimizers.items()
    }
    document = msgspec.structs.replace(reading.document, optimizers=described)
    object.__setattr__(reading, "document", document)
    text = page.render(reading)
    assert text.count("@article{one,") == 1
    assert "The same as BibTeX" in Outline(text).text


def test_names_are_escaped_everywhere(make_reading, outline):
    import msgspec

    from fallline.analysis.reading import read
    from fallline.store.document import OptimizerDescription

    usual = make_reading(optimizers=("adam",), name=EVIL, title=EVIL)
    document = msgspec.structs.replace(
        usual.document,
        optimizers={EVIL: OptimizerDescription(EVIL, False, {}, citation=EVIL)},
        versions={EVIL: EVIL},
        machine={EVIL: EVIL},
        protocol=msgspec.structs.replace(usual.document.protocol, optimizers=(EVIL,)),
        task=msgspec.structs.replace(usual.document.task, source=EVIL, licence=EVIL, loss=EVIL),
    )
    reading = read(usual.runs.assign(optimizer=EVIL), document, timing=usual.timing)
    text = page.render(reading)
    assert EVIL not in text
    found = Outline(text)
    assert found.text.count(EVIL) > 8
    # The same scripts as on a usual page, and nothing more.
    assert found.tags.count("script") == outline.tags.count("script")
    content = json.loads(found.scripts["content"])
    for chart in content["charts"]:
        for trace in chart["data"]:
            shown = trace["name"] + trace.get("hovertemplate", "")
            assert "<script" not in shown
            assert "&lt;script&gt;" in shown


def test_an_interrupted_study_has_a_page(make_reading):
    searched = make_reading(complete=False, edit=lambda runs: runs[runs["phase"] == "search"])
    text = Outline(page.render(searched)).text
    assert "The study is not finished" in text
    assert "How hard they are to tune" in text
    for absent in ("Where the study's time went", "Every pair", "All measures", "apart they are"):
        assert absent not in text
    empty = Outline(page.render(make_reading(complete=False, edit=lambda runs: runs[:0])))
    assert "no run is stored yet" in empty.text


def test_a_page_of_defaults_says_so(make_reading):
    reading = make_reading(searched=False, edit=lambda runs: runs[runs["phase"] == "final"])
    text = Outline(page.render(reading)).text
    assert "every optimizer ran at its own default setting" in text
    assert "by learning rate" not in text


def test_diverged_studies_have_a_page(make_reading):
    def diverge(runs):
        curves = {
            name: [np.array([], np.float32)] * len(runs)
            for name in ("train_loss", "train_metric", "validation_loss", "validation_metric")
        }
        return runs.assign(status="diverged", epochs_trained=0, steps=3, **curves)

    text = Outline(page.render(make_reading(optimizers=("adam", "sgd"), edit=diverge))).text
    assert "Every optimizer diverged" in text
    assert "nan" not in text.lower().replace("became nan", "").replace("finance", "")


def test_widened_grids_are_told(make_reading):
    def widen(runs):
        more = runs[(runs["optimizer"] == "adam") & (runs["learning_rate"] == 3.2e-5)]
        return pd.concat([runs, more.assign(learning_rate=1e-5)])

    text = Outline(page.render(make_reading(optimizers=("adam", "sgd"), edit=widen))).text
    assert "The grid was widened where its border was best: adam to 1e-5." in text


def test_parts_of_the_time(reading):
    parts = page.spent(reading)
    assert [part["label"] for part in parts][:2] == ["training and evaluating", "compiling"]
    assert sum(part["share"] for part in parts) == pytest.approx(100, abs=0.05)
    table = figure_tables.tables(reading)["time"]
    epochs = {row["optimizer"]: row for row in page.time_rows(table)}
    # 34 steps an epoch in batches, one with the full batch.
    assert epochs["nadam"]["step"] == "60 µs"
    assert epochs["nadam"]["epoch"] == "2.0 ms"
    assert epochs["gd"]["epoch"] == epochs["gd"]["step"]
