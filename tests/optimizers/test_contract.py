"""What every entry of the catalogue keeps, whatever its rule: one suite, no entry singled out."""

from __future__ import annotations

import pytest

from fallline import optimizers, testing
from fallline.optimizers import Optimizer

ENTRIES = optimizers.resolve("all")


@pytest.mark.parametrize("check", testing.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_contract(entry: Optimizer, check: testing.Check) -> None:
    check(entry)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_sheet_says_how_frameworks_differ(entry: Optimizer) -> None:
    assert entry.notes
    papers = [each for each in entry.dialects if each.framework == "paper"]
    assert len(papers) == 1
    assert papers[0].form
    for each in entry.dialects:
        assert set(each.defaults) <= set(entry.defaults)
        entry.complete({**entry.defaults, **each.defaults})
        entry.complete_options(dict(each.options))
        assert (each.framework == "paper") == (each.call == "")
