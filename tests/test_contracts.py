"""What is cheap stays cheap: help and imports load no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("jax", "flax", "optax", "pandas", "pyarrow", "sklearn", "scipy", "plotly")


def _loaded_after(code: str) -> set[str]:
    """The heavy libraries that a fresh process has loaded after ``code``."""
    asked = f"[name for name in {HEAVY} if name in sys.modules]"
    ending = f"\nimport json, sys; sys.stderr.write(json.dumps({asked}))"
    done = subprocess.run(
        [sys.executable, "-c", code + ending],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stderr))


def test_the_check_sees_what_is_loaded() -> None:
    assert "scipy" in _loaded_after("import scipy.stats")


def test_importing_fallline_loads_nothing_heavy() -> None:
    assert _loaded_after("import fallline; fallline.__version__; dir(fallline)") == set()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import typer\n"
        "from typer.testing import CliRunner\n"
        "from fallline.cli.app import app\n"
        "commands = list(typer.main.get_command(app).commands)\n"
        "assert {'compare', 'train', 'evaluate', 'optimizers', 'doctor'} <= set(commands)\n"
        "for command in ([], *([name] for name in commands)):\n"
        "    result = CliRunner().invoke(app, [*command, '--help'])\n"
        "    assert result.exit_code == 0, result.output\n"
        "    assert 'Usage' in result.output, result.output\n"
    )
    assert _loaded_after(code) == set()


def test_the_store_and_the_vocabulary_load_no_jax() -> None:
    code = (
        "import fallline.errors, fallline.records, fallline.spaces\n"
        "import fallline.store.folder, fallline.store.weights, fallline.planning.config\n"
    )
    assert _loaded_after(code) == set()


def test_a_study_is_read_without_jax() -> None:
    assert "jax" not in _loaded_after("from fallline import open_study, Study")
    assert "jax" not in _loaded_after("import fallline.analysis.summary, fallline.results")


def test_every_public_name_is_there() -> None:
    import fallline

    assert {"Dataset", "Study", "Task", "compare", "evaluate", "open_study", "train"} <= set(
        fallline.__all__
    )
    for name in fallline.__all__:
        assert getattr(fallline, name) is not None
    assert dir(fallline) == sorted(fallline.__all__)
    with pytest.raises(AttributeError, match="no attribute 'compair'"):
        _ = fallline.compair  # type: ignore[attr-defined]
