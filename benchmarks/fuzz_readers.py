"""Every reader that is given damaged input, by name."""

from __future__ import annotations

import fuzz_commands
import fuzz_data
import fuzz_folders
import fuzz_texts
from fuzz_reader import Reader

READERS: dict[str, Reader] = {
    "idx": fuzz_data.IDX,
    "csv": fuzz_data.CSV,
    "npy": fuzz_data.NPY,
    "shards": fuzz_data.SHARDS,
    "weights": fuzz_data.WEIGHTS,
    "study file": fuzz_texts.STUDY_FILE,
    "protocol": fuzz_texts.PROTOCOL,
    "optimizers": fuzz_texts.OPTIMIZERS,
    "expression": fuzz_texts.EXPRESSION,
    "command line": fuzz_commands.COMMAND_LINE,
    "study": fuzz_folders.STUDY,
    "doctor": fuzz_folders.DOCTOR,
    "part": fuzz_folders.PART,
}
