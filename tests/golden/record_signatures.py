"""Records how torch, Keras and torch's further packages call what the dialects name.

    python tests/golden/record_signatures.py CALLS.json

in an environment that has them: torch, keras (with any backend) and pytorch_optimizer. CALLS.json
is a list of names such as "torch.optim.Adam", as `python tests/golden/record_signatures.py --list`
prints it in fallline's own environment. Written: signatures.json beside this file, for each call
the names of its arguments with their defaults (null where there is none, text for what is neither
number, boolean nor text, without its address), and the versions.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("signatures.json")
REQUIRED = "required"


def listed() -> list[str]:
    """The calls of all dialects that are not Optax's."""
    from fallline import optimizers

    found = {
        each.call
        for name in optimizers.names()
        for each in optimizers.get(name).dialects
        if each.call and each.framework != "optax"
    }
    return sorted(found)


def signature(call: str) -> dict[str, Any]:
    """Arguments and defaults of a class, by name; of its source where it cannot be imported."""
    module, _, name = call.rpartition(".")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, RuntimeError) as error:
        print(f"{call} is read from its source: {error}", file=sys.stderr)
        return written(module, name)
    taken = list(inspect.signature(made.__init__).parameters.values())[1:]
    return {
        each.name: plain(each.default)
        for each in taken
        if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    }


def written(module: str, name: str) -> dict[str, Any]:
    """What a class of that name, in the files of ``module``'s folder, says of its ``__init__``."""
    package, *within = module.split(".")
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]).joinpath(*within)
    (made,) = (
        node
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    (begin,) = (
        node for node in made.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )
    names = [each.arg for each in begin.args.args[1:]]
    defaults = [plain(ast.literal_eval(each)) for each in begin.args.defaults]
    required = [REQUIRED] * (len(names) - len(defaults))
    return dict(zip(names, [*required, *defaults], strict=True))


def plain(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        return REQUIRED
    if isinstance(default, tuple):
        return list(default)
    if isinstance(default, bool | int | float | str | None):
        return default
    return re.sub(" at 0x[0-9a-f]+", "", str(default))


def main(arguments: list[str]) -> None:
    if arguments == ["--list"]:
        print(json.dumps(listed()))
        return
    calls = json.loads(Path(arguments[0]).read_text("utf-8"))
    packages = sorted({call.partition(".")[0] for call in calls})
    distributions = importlib.metadata.packages_distributions()
    found = {
        "versions": {name: importlib.metadata.version(distributions[name][0]) for name in packages},
        "calls": {call: signature(call) for call in calls},
    }
    lines = ",\n".join(f"  {json.dumps(c)}: {json.dumps(s)}" for c, s in found["calls"].items())
    versions = json.dumps(found["versions"])
    KEPT.write_text(f'{{"versions": {versions}, "calls": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
