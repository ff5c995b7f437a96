"""Texts that a user controls, hostile ones: none becomes an element of a page."""

from __future__ import annotations

import html.parser
from collections import Counter

import msgspec
import pytest

import made_study
from fallline.analysis.reading import read
from fallline.report import page
from fallline.report.verdict import verdict, warnings
from fallline.store.document import StudyDocument

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--<svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}</title></style>",
)


def elements(text: str) -> Counter[str]:
    """How many elements of each kind a page has, with the names of their attributes for events."""
    found: Counter[str] = Counter()

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            found[tag] += 1
            found.update(f"{tag} {name}" for name, _ in attrs if name.startswith("on"))

        def handle_comment(self, data):
            found["comment"] += 1

    Reader().feed(text)
    return found


def _failing(runs):
    """The second optimizer could not be trained."""
    gone = runs["optimizer"] == "sgd"
    runs.loc[gone, "status"] = "failed"
    return runs.assign(reason=runs["status"].map({"failed": "a plain reason"}).fillna(""))


def _page(text: str | None) -> str:
    """A study's page; with ``text`` in the place of everything that a user names."""
    reading = made_study.make(optimizers=("adam", "sgd"), edit=_failing)
    if text is None:
        return page.render(reading)
    renamed = {"adam": f"adam {text}", "sgd": f"sgd {text}"}
    runs = reading.runs.assign(
        optimizer=reading.runs["optimizer"].map(renamed),
        reason=[f"{reason} {text}" if reason else "" for reason in reading.runs["reason"]],
    )
    tree = msgspec.to_builtins(reading.document)
    tree["optimizers"] = {renamed[name]: each for name, each in tree["optimizers"].items()}
    for each in tree["optimizers"].values():
        each |= {"title": text, "citation": text, "bibtex": text}
    protocol = tree["protocol"]
    protocol["optimizers"] = [renamed[name] for name in protocol["optimizers"]]
    protocol["learning_rates"] = {
        renamed[name]: rates for name, rates in protocol["learning_rates"].items()
    }
    tree["task"] |= dict.fromkeys(("name", "title", "licence", "source"), text)
    tree["task"]["notes"] = [f"the column {text} was left out"]
    tree["machine"] |= {"processor": text}
    document = msgspec.convert(tree, StudyDocument)
    return page.render(read(runs, document, timing=made_study.timing(list(renamed.values()))))


@pytest.fixture(scope="module")
def plain() -> Counter[str]:
    return elements(_page(None))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_add_no_element_to_a_studys_page(plain, text):
    found = elements(_page(text))
    kinds = ("script", "img", "svg", "style", "title", "iframe", "comment")
    more = {kind: found[kind] - plain[kind] for kind in kinds}
    assert not any(count > 0 for count in more.values()), more
    assert not [name for name in found if " on" in name and name not in plain]


def test_the_failed_are_named_with_their_reason():
    reading = made_study.make(optimizers=("adam", "sgd"), edit=_failing)
    assert verdict(reading).endswith("; sgd failed")
    assert "sgd failed, and ranks last: a plain reason." in warnings(reading)[0]
    assert not any("diverged" in each for each in warnings(reading))
    assert reading.summary["relation"].tolist() == ["best", "failed"]
