"""A study's references: BibTeX that parses, of what the study used and nothing else."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from fallline.description import bibtex
from fallline.optimizers import catalogue
from fallline.report import bibliography, references

FEW = ("adam", "sgd", "momentum")


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The entries of a BibTeX file: fields by name, by key; an assertion where it is no BibTeX."""
    found = {}
    at = 0
    while (start := text.find("@", at)) >= 0:
        head = re.compile(r"@(\w+)\{([\w:-]+),").match(text, start)
        assert head, text[start : start + 40]
        depth, end = 1, head.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        body = text[head.end() : end - 1]
        assert "@" not in body
        fields = re.findall(r"^  (\w+) = \{(.*?)\},?$", body, re.MULTILINE | re.DOTALL)
        rest = re.sub(r"^  \w+ = \{.*?\},?$", "", body, flags=re.MULTILINE | re.DOTALL)
        assert not rest.strip(), rest
        assert head[2] not in found, f"{head[2]} stands twice"
        found[head[2]] = {"type": head[1], **dict(fields)}
        at = end
    between = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    assert between.count("{") == between.count("}")
    return found


@pytest.fixture(scope="module")
def cited(make_reading):
    """A study whose optimizers have their entries; two of them come from one publication."""

    def make(names=FEW, **changes):
        reading = make_reading(optimizers=names)
        described = {
            name: msgspec.structs.replace(held, bibtex=bibtex(catalogue.get(name)))
            for name, held in reading.document.optimizers.items()
        }
        protocol = msgspec.structs.replace(reading.document.protocol, **changes)
        document = msgspec.structs.replace(
            reading.document, optimizers=described, protocol=protocol
        )
        return dataclasses.replace(reading, document=document)

    return make


def test_optimizers_statistics_and_program_are_in_it(cited):
    text = bibliography.render(cited(), ("profile", "expected_best", "pairwise", "measures"))
    found = parsed(text)
    for name in FEW:
        assert catalogue.get(name).citation.key in found
    assert found["fallline"]["version"] == "0.1.0"
    assert {"student1908", "holm1979", "dolan2002", "dodge2019", "agarwal2021"} <= set(found)
    assert "sobol1967" not in found


def test_sources_are_those_of_what_was_done(cited):
    two = cited(("adam", "sgd"))
    assert references.used(two, ()) == ("student1908",)
    sampled = cited(FEW, points=("0.5 0.5 0.5",), rule="budget 30 tpe")
    assert references.used(sampled, ("pairwise",)) == (
        "student1908", "holm1979", "schuirmann1987", "agarwal2021", "sobol1967", "choi2019",
        "sivaprasad2020", "bergstra2011", "akiba2019",
    )  # fmt: skip


def test_a_study_of_an_earlier_version_has_no_entries_of_its_optimizers(reading):
    assert all(each.bibtex == "" for each in reading.document.optimizers.values())
    found = parsed(bibliography.render(reading, ()))
    assert set(found) == {"student1908", "holm1979", "fallline"}


def test_every_source_is_an_entry_under_its_key():
    for key, text in references.SOURCES.items():
        (found,) = parsed(text).items()
        assert found[0] == key
        assert {"author", "title", "year"} <= set(found[1])
        assert key.endswith(found[1]["year"])
        assert text.isascii()


def test_every_optimizer_of_the_catalogue_can_be_cited():
    known: dict[str, str] = {}
    for name in catalogue.names():
        for key, fields in parsed(bibtex(catalogue.get(name))).items():
            assert fields["author"]
            # LaTeX would stumble over these in what it prints.
            printed = fields["author"] + fields["title"] + fields["howpublished"]
            assert not re.search(r"(?<!\\)[&%#_$^~]", printed), name
            assert known.setdefault(key, fields["title"]) == fields["title"], key
    sources = {key: parsed(text)[key]["title"] for key, text in references.SOURCES.items()}
    for key in known.keys() & sources.keys():
        assert known[key].strip("{}").lower() == sources[key].lower()


def test_wrappers_are_cited_with_what_they_are_around():
    around = {each.name: each.citation for each in catalogue.wrappers()}
    entry = catalogue.get("adam(learning_rate=0.01)+lookahead")
    found = parsed(bibtex(entry))
    assert set(found) == {catalogue.get("adam").citation.key, around["lookahead"].key}


def test_the_citation_of_the_program_is_that_of_its_package():
    root = Path(__file__).resolve().parents[2]
    package = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (root / "CITATION.cff").read_text("utf-8").splitlines()
    held = dict(line.strip(" -").split(": ", 1) for line in lines if ": " in line)
    assert held["version"] == package["version"]
    assert held["license"] == package["license"]
    assert held["abstract"] == package["description"]
    assert held["name"] == bibliography.AUTHOR
