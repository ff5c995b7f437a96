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


STACKS = (
    "adam+lookahead+cosine+clip_norm",
    "adam+cautious+weight_decay+cosine+warmup",
    "sgd+l2+sam+accumulate+ema",
    "adam+plateau+centralize+noise+polyak_average",
)
WRAPPED = [
    *(f"sgd+{each.name}" for each in optimizers.wrappers()),
    *STACKS,
    *(pytest.param(f"adam+{each.name}", marks=pytest.mark.slow) for each in optimizers.wrappers()),
]
ELSEWHERE = {
    "sgd+agc": "its steps are at most a share of the weights, which are zero at the start",
    **{
        f"{inside}+{wrapper}": "most weights are zero, and those of the bottom are not"
        for inside in ("sgd", "adam")
        for wrapper in ("prune", "sparse")
    },
}
"""What cannot find the bottom with the defaults of its publication, and why."""


@pytest.mark.parametrize("check", testing.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", WRAPPED)
def test_contract_inside_of_wrappers(name: str, check: testing.Check) -> None:
    entry = optimizers.get(name)
    if check is testing.finds_the_bottom_of_a_bowl_with_its_defaults and name in ELSEWHERE:
        with pytest.raises(AssertionError, match="of the loss is left"):
            check(entry)
    else:
        check(entry)
