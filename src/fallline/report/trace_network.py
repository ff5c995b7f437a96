"""A traced step as a picture: the network layer by layer, with forward and backward numbers.

Each neuron is a card: a row for every weight that comes in, where its edge ends, and the circle
with the activation. So no number ever lies on an edge or on another number. Lengths are inches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fallline.errors import InputError
from fallline.report.trace_saving import BACKWARD, FAINT, FORWARD, INK, UPDATED, blank
from fallline.tracing.numbers import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.tracing.trace import Step, Trace

MOST_NEURONS = 6
MOST_LAYERS = 4
DETAILED = 15
"""Up to so many weights and biases, new weights and five decimals are shown too."""

ROW, RADIUS, TEXT = 0.2, 0.37, 9.5
MARGIN, BETWEEN, PAD = 0.2, 0.28, 0.08
NAME, DIGIT = 0.2, 0.077
HEAD, FOOT = 0.68, 0.55
INPUT = 1.08
TARGETS = 1.12
LOSS, LOSS_HEIGHT = 1.15, 0.9


@dataclass(frozen=True)
class Card:
    """Where a neuron's card is: its left edge and middle, its sizes, and its rows."""

    left: float
    middle: float
    width: float
    height: float
    rows: int

    @property
    def circle(self) -> tuple[float, float]:
        return self.left + self.width - RADIUS - PAD, self.middle

    def row(self, number: int) -> float:
        """The height of the middle of a row, from 0 at the top."""
        return self.middle + ((self.rows - 1) / 2 - number) * ROW


@dataclass(frozen=True)
class Plan:
    """Where everything is: cards by layer, the inputs' and the loss's places, the whole size."""

    detailed: bool
    number: float
    """The width of a column of numbers."""
    inputs: tuple[tuple[float, float], ...]
    cards: tuple[tuple[Card, ...], ...]
    loss: tuple[float, float]
    width: float
    height: float

    def text(self, value: float) -> str:
        """A number as this picture has room for it."""
        return brief(value, self.detailed)

    def short(self, value: float) -> str:
        """A number that was given: as it was written, where it is short."""
        text = written(float(value))
        return text.replace("-", "−") if len(text) <= 6 else self.text(value)

    @property
    def columns(self) -> list[str]:
        return ["w", "∂L/∂w", *(["new w"] if self.detailed else [])]


def check_size(sizes: Sequence[int]) -> None:
    """Raise InputError where a network of these inputs and layers would not be legible."""
    if max(sizes) > MOST_NEURONS or len(sizes) - 1 > MOST_LAYERS:
        raise InputError(
            f"a network {'-'.join(map(str, sizes))} is too large for a picture with its numbers",
            hint=f"draw at most {MOST_LAYERS} layers of at most {MOST_NEURONS} neurons or inputs; "
            "the table, and --json, have no such limit",
        )


def network_picture(trace: Trace, step: int = 1) -> Figure:
    """One step of a trace as a figure: forward numbers blue, backward ones vermilion.

    Small networks show the new weights as well, in green. Raises InputError for more than 6
    neurons a layer or 4 layers.
    """
    check_size(trace.network.sizes)
    if not 1 <= step <= len(trace.steps):
        raise InputError(f"there are steps 1 to {len(trace.steps)}, got {step}")
    shown = trace.steps[step - 1]
    plan = planned(shown)
    figure = blank(plan.width, plan.height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, plan.width), ylim=(0, plan.height), aspect="equal")
    axes.axis("off")
    _headings(axes, plan, shown)
    _edges(axes, plan, shown)
    _inputs(axes, plan, shown)
    for number in range(len(plan.cards)):
        _layer(axes, plan, shown, number)
    _outputs(axes, plan, shown, trace, step)
    _legend(axes, plan, trace)
    return figure


def planned(step: Step) -> Plan:
    """Where everything of a step's picture is."""
    network = step.network
    detailed = network.weights_count <= DETAILED
    number = 0.13 + DIGIT * max(len(brief(each, detailed)) for each in _in_rows(step, detailed))
    width = PAD + NAME + (3 if detailed else 2) * number + 2 * RADIUS + 2 * PAD
    edges = 0.42 + 0.15 * (max(network.sizes) - 1)
    sizes = []
    for layer in network.layers:
        rows = layer.inputs + (layer.bias is not None)
        height = max(rows * ROW, 2 * RADIUS + 2 * ROW) + PAD
        sizes.append((layer.neurons, rows, height))
    body = max(
        network.sizes[0] * INPUT,
        LOSS_HEIGHT,
        *(count * height + (count - 1) * BETWEEN for count, _, height in sizes),
    )
    middle = FOOT + body / 2
    left = MARGIN + 2 * RADIUS
    inputs = _column(MARGIN + RADIUS, middle, network.sizes[0], INPUT)
    cards = []
    for count, rows, height in sizes:
        left += edges
        places = _column(left, middle, count, height + BETWEEN)
        cards.append(tuple(Card(left, y, width, height, rows) for _, y in places))
        left += width
    right = left + TARGETS + 0.18 * network.sizes[-1]
    return Plan(
        detailed,
        number,
        inputs,
        tuple(cards),
        (right, middle),
        right + LOSS + MARGIN,
        FOOT + body + HEAD,
    )


def brief(value: float, detailed: bool) -> str:
    """Six digits or four, and powers of ten where those would hide the number or not hold it."""
    decimals = 5 if detailed else 3
    before = len(str(int(abs(value))))
    if before > decimals + 1 or 0 < abs(value) < 10 ** (1 - decimals) / 2:
        text = f"{value:.1e}"
    else:
        text = f"{value + 0.0:.{decimals + 1 - before}f}"
    return text.replace("-", "−")


def _in_rows(step: Step, detailed: bool) -> list[float]:
    """Every number that stands in a card's rows."""
    values: list[float] = []
    for old, done, new in zip(
        step.network.layers, step.done.layers, step.after.layers, strict=True
    ):
        held = [old.weights, done.weight_gradient, old.bias, done.bias_gradient]
        held += [new.weights, new.bias] if detailed else []
        values += [float(each) for array in held if array is not None for each in array.flat]
    return values


def _column(x: float, middle: float, count: int, apart: float) -> tuple[tuple[float, float], ...]:
    return tuple((x, middle + ((count - 1) / 2 - at) * apart) for at in range(count))


def _write(axes: Axes, x: float, y: float, text: str, color: str = INK, **style: Any) -> None:
    style = {"ha": "center", "va": "center", "fontsize": TEXT, **style}
    axes.text(x, y, text, color=color, **style)


def _circle(axes: Axes, place: tuple[float, float], color: str) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle(place, RADIUS, facecolor="white", edgecolor=color, lw=1.6, zorder=4))


def _headings(axes: Axes, plan: Plan, step: Step) -> None:
    x, y = plan.inputs[0]
    _write(axes, x, y + RADIUS + 0.17, "inputs", fontweight="bold")
    last = len(plan.cards) - 1
    for number, cards in enumerate(plan.cards):
        name = step.network.layers[number].activation
        words = f"output: {name}" if number == last else f"layer {number + 1}: {name}"
        above = cards[0].middle + cards[0].height / 2 + 0.13
        middle = cards[0].left + cards[0].width / 2
        _write(axes, middle, above + 0.25, words, fontweight="bold")
        for heading, color, at in zip(
            plan.columns, (FORWARD, BACKWARD, UPDATED), range(3), strict=False
        ):
            x = cards[0].left + PAD + NAME + (at + 1) * plan.number
            _write(axes, x, above, heading, color, ha="right", fontsize=TEXT - 0.5)
    loss = step.network.loss.replace("_", " ").replace("binary cross", "binary\ncross")
    words = f"loss:\n{loss}"
    left, middle = plan.loss
    over = middle + LOSS_HEIGHT / 2 + 0.09
    _write(axes, left + LOSS / 2, over, words, fontweight="bold", va="bottom")


def _edges(axes: Axes, plan: Plan, step: Step) -> None:
    largest = max(float(abs(layer.weights).max()) for layer in step.network.layers) or 1.0
    starts = [(x + RADIUS, y) for x, y in plan.inputs]
    for cards, layer in zip(plan.cards, step.network.layers, strict=True):
        for neuron, card in enumerate(cards):
            for source, (x, y) in enumerate(starts):
                weight = float(layer.weights[neuron, source])
                axes.plot(
                    [x, card.left],
                    [y, card.row(source)],
                    color=FORWARD,
                    alpha=0.55,
                    lw=0.7 + 1.6 * abs(weight) / largest,
                    ls="--" if weight < 0 else "-",
                    zorder=1,
                )
        starts = [(card.left + card.width, card.middle) for card in cards]


def _inputs(axes: Axes, plan: Plan, step: Step) -> None:
    for number, (place, value) in enumerate(
        zip(plan.inputs, step.done.inputs[0], strict=True), start=1
    ):
        _circle(axes, place, FAINT)
        _write(axes, *place, plan.short(value), FORWARD, zorder=5)
        _write(axes, place[0], place[1] - RADIUS - 0.11, f"x{number}", FAINT)


def _layer(axes: Axes, plan: Plan, step: Step, number: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    layer, done, after = (
        step.network.layers[number],
        step.done.layers[number],
        step.after.layers[number],
    )
    sources = [f"{'a' if number else 'x'}{at + 1}" for at in range(layer.inputs)]
    for neuron, card in enumerate(plan.cards[number]):
        box = FancyBboxPatch(
            (card.left, card.middle - card.height / 2),
            card.width,
            card.height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="#f4f5f7",
            edgecolor="#d5d8dd",
            lw=0.8,
            zorder=2,
        )
        axes.add_patch(box)
        rows = [layer.weights[neuron], done.weight_gradient[neuron], after.weights[neuron]]
        held: list[tuple[str, list[float]]] = [
            (name, [float(each[at]) for each in rows]) for at, name in enumerate(sources)
        ]
        if layer.bias is not None and done.bias_gradient is not None and after.bias is not None:
            biases = (layer.bias[neuron], done.bias_gradient[neuron], after.bias[neuron])
            held.append(("b", [float(each) for each in biases]))
        _rows(axes, plan, card, held)
        x, y = card.circle
        _circle(axes, card.circle, INK)
        axes.plot([x + RADIUS, card.left + card.width], [y, y], color=INK, lw=1.2, zorder=3)
        _write(axes, x, y, plan.text(done.a[0, neuron]), FORWARD, zorder=5)
        up = RADIUS + ROW / 2 + 0.01
        _write(axes, x, y + up, f"z {plan.text(done.z[0, neuron])}", FORWARD, zorder=5)
        _write(axes, x, y - up, f"δ {plan.text(done.delta[0, neuron])}", BACKWARD, zorder=5)


def _rows(axes: Axes, plan: Plan, card: Card, held: list[tuple[str, list[float]]]) -> None:
    for number, (name, values) in enumerate(held):
        y = card.row(number)
        _write(axes, card.left + 0.06, y, name, FAINT, ha="left", zorder=5, fontsize=TEXT - 1)
        colors = (FORWARD, BACKWARD, UPDATED)[: len(plan.columns)]
        for at, (value, color) in enumerate(zip(values, colors, strict=False)):
            x = card.left + PAD + NAME + (at + 1) * plan.number
            _write(axes, x, y, plan.text(value), color, ha="right", zorder=5)


def _outputs(axes: Axes, plan: Plan, step: Step, trace: Trace, number: int) -> None:
    """Targets and dL/da beside the output neurons, and the loss with what it is afterwards."""
    from matplotlib.patches import FancyBboxPatch

    errors = step.done.layers[-1].error
    left, middle = plan.loss
    for neuron, card in enumerate(plan.cards[-1]):
        x = card.left + card.width
        bent = x + TARGETS
        y = card.middle
        axes.plot([x, bent, left], [y, y, middle], color=FAINT, lw=1.0, zorder=1)
        lines = [(f"y {plan.short(step.done.targets[0, neuron])}", INK)]
        if errors is not None:
            lines.append((f"∂L/∂a {plan.text(errors[0, neuron])}", BACKWARD))
        lines.append((f"new a {plan.text(trace.outputs[number][neuron])}", UPDATED))
        top = card.middle + (len(lines) - 1) / 2 * ROW
        room = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        for at, (words, color) in enumerate(lines):
            _write(axes, x + 0.1, top - at * ROW, words, color, ha="left", bbox=room, zorder=3)
    box = FancyBboxPatch(
        (left, middle - LOSS_HEIGHT / 2),
        LOSS,
        LOSS_HEIGHT,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor="white",
        edgecolor=INK,
        lw=1.2,
        zorder=4,
    )
    axes.add_patch(box)
    for words, color, up in (
        (f"L {plan.text(step.done.loss)}", FORWARD, 0.24),
        ("after the step", UPDATED, -0.03),
        (f"L {plan.text(trace.losses[number])}", UPDATED, -0.24),
    ):
        _write(axes, left + LOSS / 2, middle + up, words, color, zorder=5)


def _legend(axes: Axes, plan: Plan, trace: Trace) -> None:
    """What the colours mean, in the colours, on a line at the bottom."""
    words = [
        ("forward: w, z, a (in the circle), L", FORWARD),
        ("backward: δ = ∂L/∂z and gradients", BACKWARD),
        (f"after a step with learning rate {trace.learning_rate:g}", UPDATED),
    ]
    if any((layer.weights < 0).any() for layer in trace.network.layers):
        words.append(("dashed edge: negative weight", FAINT))
    width = sum(_length(each) for each, _ in words)
    room = plan.width - 2 * MARGIN
    lines = [words] if width <= room else [words[:2], words[2:]]
    for line, held in enumerate(lines):
        x = MARGIN
        y = FOOT / 2 + ((len(lines) - 1) / 2 - line) * 0.2 - 0.04
        for text, color in held:
            _write(axes, x, y, text, color, ha="left")
            x += _length(text)


def _length(text: str) -> float:
    """Of a legend's entry, with room after it."""
    return 0.073 * len(text) + 0.12
