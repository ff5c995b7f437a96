"""Code with its numbers left open: filled, wrapped where it is long, honest where it differs."""

from __future__ import annotations

import ast

import msgspec
import pytest
import tomli_w

from fallline.snippets import OURS, WIDTH, Snippet, called, fill, literal, made, of_ours

ADAM = Snippet(
    imports="import torch",
    call="optimizer = torch.optim.Adam",
    arguments=("model.parameters()", "lr={learning_rate}", "betas=({beta_1}, {beta_2})"),
    held={"epsilon": 1e-8},
)
VALUES = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}


def test_numbers_are_filled_in() -> None:
    assert fill(ADAM, VALUES) == (
        "import torch\n\n"
        "optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.999))"
    )


def test_what_the_call_does_not_take_is_said_where_another_value_is_asked() -> None:
    assert ADAM.differences(VALUES) == ()
    asked = VALUES | {"epsilon": 1e-3}
    assert ADAM.differences(asked) == ("torch.optim.Adam has epsilon=1e-08; asked was 0.001",)
    assert fill(ADAM, asked).startswith("# torch.optim.Adam has epsilon=1e-08; asked was 0.001\n")


def test_comments_stand_above_and_below() -> None:
    told = Snippet("import x", "y = x.Y", comments=("differs",), above=("needs z",), below=("so",))
    assert fill(told, {}) == "# differs\n# needs z\nimport x\n\ny = x.Y()\n# so"
    assert told.differences({}) == ("differs",)


def test_a_long_call_has_a_line_for_each_argument() -> None:
    short = called("f", ["a" * (WIDTH - 3)])
    assert len(short) == WIDTH
    assert called("f", ["a" * (WIDTH - 2)]) == f"f(\n    {'a' * (WIDTH - 2)},\n)"
    long = of_ours("adam", [f"a_long_hyperparameter_{n}" for n in range(5)])
    values = {f"a_long_hyperparameter_{n}": 0.5 for n in range(5)}
    assert "\n" in made(long, values)
    assert "\n" not in made(long, values, width=10_000)
    whole = ast.dump(ast.parse(made(long, values)))
    assert whole == ast.dump(ast.parse(made(long, values, width=10_000)))


def test_ours_takes_a_mapping_of_every_hyperparameter() -> None:
    text = fill(of_ours("adam", ["learning_rate"], below=["more"]), {"learning_rate": 0.1})
    assert 'tx = optimizers.get("adam").transformation({"learning_rate": 0.1})' in text
    assert text.endswith("\n# more")
    assert made(of_ours("gd_exact", []), {}).endswith(".transformation({})")
    assert OURS == "fallline"


@pytest.mark.parametrize("value", ["a", 'a "quoted" one', 0.1, 1e-8, True, None, 3])
def test_literals_are_python(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


def test_a_snippet_survives_toml() -> None:
    kept = {"torch": ADAM, OURS: of_ours("adam", ["learning_rate"])}
    text = tomli_w.dumps(msgspec.to_builtins(kept))
    assert msgspec.convert(msgspec.toml.decode(text.encode()), dict[str, Snippet]) == kept
