"""What a stored series may be gone on with."""

from __future__ import annotations

import pytest

from fallline.errors import StudyError
from fallline.planning import studyfile
from fallline.planning.extending import require_same

TREE = {
    "name": "small",
    "base": {"task": "digits-mlp"},
    "protocol": {"final_seeds": 2},
    "axes": {"width": {"8": {}, "16": {"model": {"hidden": [16]}}}},
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": {"final_seeds": 3}}, "these differ: protocol"),
        ({"base": {"l2": 0.1}}, "these differ: base"),
        ({"axes": {"width": {"16": {"model": {"hidden": [17]}}}}}, "'16' of 'width'"),
        ({"stages": {"settings": {"vary": ["width"], "base": {"l1": 0.1}}}}, "stage 'settings'"),
    ],
)
def test_what_was_measured_otherwise_is_refused(changes, said, tmp_path):
    held = studyfile.parse(TREE)
    with pytest.raises(StudyError, match=said):
        require_same(held, studyfile.parse(studyfile.merged(TREE, changes)), tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": "other words", "remarks": ["more words"]},
        {"axes": {"width": {"9": {"model": {"hidden": [9]}}}}},
        {"axes": {"width": {"16": False}}},
        {"stages": {"settings": {"vary": ["width"], "only": {"width": ["8"]}}}},
    ],
)
def test_words_and_settings_may_come_and_go(changes, tmp_path):
    asked = studyfile.parse({**TREE, "quick": changes}, forms=("quick",))
    require_same(studyfile.parse(TREE), asked, tmp_path)
