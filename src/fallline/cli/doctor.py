"""``fallline doctor``: the machine, the versions and the data; or whether a folder is sound."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from fallline.errors import InputError


def doctor(
    folder: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIR]",
            help="Check the folder of a study, of a suite of tasks, or of a series.",
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="With DIR: mend what can be; nothing that holds finished work goes."
        ),
    ] = False,
    data_dir: Annotated[
        str | None, typer.Option(help="Where the data sets are; also FALLLINE_DATA.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="TASK", help="Explain how a comparison on TASK would lie on this machine."
        ),
    ] = None,
    optimizers: Annotated[
        str, typer.Option(help="With --plan: names and groups, separated by commas.")
    ] = "studies",
    epochs: Annotated[int | None, typer.Option(help="With --plan: of every run.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="With --plan: examples per step.")] = None,
) -> None:
    """Say what fallline finds on this machine, how it would plan a comparison, or what is in DIR.

    With DIR the exit code is 0 if all of it is sound, 1 if something is wrong.
    """
    if folder is not None:
        if plan is not None:
            raise InputError("--plan and a folder were given", hint="ask for one of them at a time")
        _check(folder, repair=repair)
        return
    if repair:
        raise InputError("--repair needs a folder", hint="fallline doctor DIR --repair")
    if plan is not None:
        from fallline.cli.planning import explain

        print(explain(plan, optimizers, epochs=epochs, batch_size=batch_size, data_dir=data_dir))
        return
    import jax

    from fallline.data import builtin
    from fallline.engine.devices import Devices, compilation_cache, usable_cores

    devices = Devices.all()
    print(f"python    {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in ("fallline", "jax", "flax", "optax", "numpy", "scipy", "pandas"):
        print(f"{name:<9} {metadata.version(name)}")
    print(f"cores     {usable_cores()} usable")
    kind = jax.devices()[0].device_kind
    layout = "runs one after the other on each" if devices.maps_runs else "runs side by side"
    print(f"devices   {devices.count} x {devices.platform} ({kind}), {layout}")
    print(f"cache     {_size(compilation_cache())}")
    for name in builtin.names():
        located = builtin.locate(name, data_dir)
        if located.found:
            folder = f", {located.files[0].parent}" if located.files else ""
            print(f"data      {name}: {located.where}{folder}")
        else:
            looked = "; ".join(map(str, located.looked_in))
            fetched = builtin.source(name).downloadable
            then = "downloaded when needed" if fetched else "put its files there by hand"
            print(f"data      {name}: not found (looked in {looked}); {then}")


def _check(folder: str, *, repair: bool) -> None:
    """Say what is found in ``folder``; exit code 1 where something is wrong."""
    from fallline.store import checking

    wrong = 0
    for each in checking.check(folder, repair=repair):
        wrong += not each.sound
        print(f"{'ok' if each.sound else 'WRONG':<6}{each.where}: {each.what}")
        if not each.sound:
            print(f"      mend: {each.mend}")
    if wrong:
        print(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong in {folder}")
        raise typer.Exit(1)
    print(f"{folder} is sound")


def _size(folder: Path) -> str:
    files = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    return f"{folder} ({len(files)} files, {megabytes:.1f} MB)"
