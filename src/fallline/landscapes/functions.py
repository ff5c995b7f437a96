"""The landscapes that come with fallline: the studies' own and the customary test functions."""

from __future__ import annotations

import re

from fallline.errors import InputError, near_matches
from fallline.landscapes.expression import CONSTANTS, FUNCTIONS, VARIABLES, parse
from fallline.landscapes.surface import Box, Landscape, Minimum, of_expression

_STUDY = "study A, by hand"
_LANDSCAPES = (
    Landscape(
        name="polynomial",
        title="A polynomial of degree six with two minima",
        expression=parse(
            "0.000017*x^6 - 0.001133*x^5 + 0.029241*x^4 - 0.36691*x^3"
            " + 2.234115*x^2 - 5.510020*x + 4.722197"
        ),
        start=(0.0,),
        box=Box((-0.8,), (23.0,)),
        minima=(
            Minimum((20.522782104263236,), -6.354671780060694),
            Minimum((2.103157159310003,), 0.12950975838009496),
        ),
        note="Small steps rest in the first minimum; Adam at learning rate 5 leaps over the hill "
        "into the lower one.",
        source=_STUDY,
        optimizers=("sgd", "momentum", "adam"),
        learning_rates={"sgd": 0.1, "momentum": 0.1, "adam": 5.0},
    ),
    Landscape(
        name="quadratic",
        title="A quadratic for the exact line search",
        expression=parse("x1^2 + 2*x2^2 - 2*x1*x2 - 2*x2"),
        start=(0.0, 0.0),
        box=Box((-0.4, -0.4), (1.6, 1.6)),
        minima=(Minimum((1.0, 1.0), -1.0),),
        note="From (0, 0) the first step of the exact line search has length 1/4 and ends in "
        "(0, 1/2); every step is at right angles to the one before.",
        source=_STUDY,
        optimizers=("gd_exact", "sgd", "momentum", "adam"),
    ),
    Landscape(
        name="rosenbrock",
        title="Rosenbrock's valley",
        expression=parse("(1 - x)^2 + 100*(y - x^2)^2"),
        start=(-1.2, 1.0),
        box=Box((-2.0, -1.0), (2.0, 3.0)),
        minima=(Minimum((1.0, 1.0), 0.0),),
        note="The curved valley is found at once; along its floor the slope is a hundredth of "
        "that of its walls.",
        source="Rosenbrock (1960), The Computer Journal 3",
        steps=500,
    ),
    Landscape(
        name="beale",
        title="Beale's function",
        expression=parse("(1.5 - x + x*y)^2 + (2.25 - x + x*y^2)^2 + (2.625 - x + x*y^3)^2"),
        start=(1.0, 1.5),
        box=Box((-1.0, -1.5), (4.5, 2.0)),
        minima=(Minimum((3.0, 0.5), 0.0),),
        note="Steep corners around a long flat plain.",
        source="Beale (1958), Princeton University",
    ),
    Landscape(
        name="himmelblau",
        title="Himmelblau's four minima",
        expression=parse("(x^2 + y - 11)^2 + (x + y^2 - 7)^2"),
        start=(0.0, -0.5),
        box=Box((-5.0, -5.0), (5.0, 5.0)),
        minima=(
            Minimum((3.0, 2.0), 0.0),
            Minimum((-2.805118086952745, 3.131312518250573), 0.0),
            Minimum((-3.779310253377747, -3.283185991286170), 0.0),
            Minimum((3.584428340330492, -1.848126526964404), 0.0),
        ),
        note="All four are equally low; which one is found depends on the way there.",
        source="Himmelblau (1972), Applied Nonlinear Programming",
    ),
    Landscape(
        name="booth",
        title="Booth's function",
        expression=parse("(x + 2*y - 7)^2 + (2*x + y - 5)^2"),
        start=(-6.0, -6.0),
        box=Box((-10.0, -10.0), (10.0, 10.0)),
        minima=(Minimum((1.0, 3.0), 0.0),),
        note="A bowl, nine times as steep across as along.",
        source="customary test function",
    ),
    Landscape(
        name="rastrigin",
        title="Rastrigin's egg box",
        expression=parse("20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)"),
        start=(-3.3, 2.7),
        box=Box((-4.0, -4.0), (4.0, 4.0)),
        minima=(Minimum((0.0, 0.0), 0.0),),
        note="A minimum near every pair of whole numbers; only the one at (0, 0) is marked.",
        source="Rastrigin (1974), Systems of Extremal Control",
    ),
    Landscape(
        name="rastrigin-1d",
        title="Rastrigin's function on a line",
        expression=parse("10 + x^2 - 10*cos(2*pi*x)"),
        start=(-3.3,),
        box=Box((-4.5,), (4.5,)),
        minima=(Minimum((0.0,), 0.0),),
        note="A minimum near every whole number; only the one at 0 is marked.",
        source="Rastrigin (1974), Systems of Extremal Control",
    ),
    Landscape(
        name="ackley",
        title="Ackley's funnel",
        expression=parse(
            "20 + e - 20*exp(-0.2*sqrt((x^2 + y^2)/2)) - exp((cos(2*pi*x) + cos(2*pi*y))/2)"
        ),
        start=(-3.2, 2.6),
        box=Box((-4.0, -4.0), (4.0, 4.0)),
        minima=(Minimum((0.0, 0.0), 0.0),),
        note="A funnel with a dimple near every pair of whole numbers; only the deepest, with a "
        "tip like a cone's, is marked.",
        source="Ackley (1987), A Connectionist Machine for Genetic Hillclimbing",
    ),
    Landscape(
        name="saddle",
        title="A saddle",
        expression=parse("x^2 - y^2"),
        start=(-1.5, 0.001),
        box=Box((-2.0, -2.0), (2.0, 2.0)),
        note="Downhill without end on two sides; who starts close to the ridge must leave it "
        "first.",
        source="customary test function",
        steps=100,
        learning_rates={"sgd": 0.05, "momentum": 0.02, "rmsprop": 0.02, "adam": 0.05},
    ),
    Landscape(
        name="ill-conditioned",
        title="A quadratic of condition number 100",
        expression=parse("0.5*x^2 + 50*y^2"),
        start=(-8.0, 1.5),
        box=Box((-10.0, -3.0), (4.0, 3.0)),
        minima=(Minimum((0.0, 0.0), 0.0),),
        note="One direction is a hundred times as steep as the other: a step that suits the one "
        "is too short for the other.",
        source="customary test function",
    ),
)
LANDSCAPES = {each.name: each for each in _LANDSCAPES}
"""By name, in the order of their listing."""


def names() -> tuple[str, ...]:
    """The names of the landscapes that come with fallline."""
    return tuple(LANDSCAPES)


def landscape(name: str) -> Landscape:
    """The landscape of that name, or that of an expression such as ``"x^4 - 3*x^2 + x"``.

    An :class:`InputError` says why neither is possible.
    """
    if name in LANDSCAPES:
        return LANDSCAPES[name]
    if _is_a_name(name.strip()):
        near = near_matches(name, LANDSCAPES)
        asked = f"did you mean {' or '.join(repr(match) for match in near)}? " if near else ""
        raise InputError(
            f"unknown landscape {name!r}",
            hint=f'{asked}there are {", ".join(LANDSCAPES)}, and expressions: "x^4 - 3*x^2 + x"',
        )
    return of_expression(name)


def _is_a_name(word: str) -> bool:
    """Whether ``word`` was meant as a name: words with hyphens, none of an expression."""
    if not re.fullmatch(r"[A-Za-z_]\w*([- ]\w+)*", word, re.ASCII):
        return False
    return not {*VARIABLES, *CONSTANTS, *FUNCTIONS} & set(re.split(r"[- ]", word))
