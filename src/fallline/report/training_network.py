"""The drawing of a network layer by layer: blocks and their rectangles, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fallline.report.training_portrait import Portrait


@dataclass(frozen=True)
class NetworkBlock:
    """One block of the network's drawing, the input first.

    ``sheets``: how many feature maps are drawn; 0 for a flat output, which is drawn as a bar.
    ``height``: of a map or the bar, 0 to 1, by the logarithm of its size.
    """

    name: str
    kind: str
    shape: str
    detail: str
    height: float
    sheets: int
    trainable: bool | None
    """None for the input, which has no parameters."""


def blocks(portrait: Portrait) -> tuple[NetworkBlock, ...]:
    """The network's drawing: the input, then each layer that has parameters."""
    shapes = [portrait.input_shape, *(each.output_shape for each in portrait.blocks)]
    sizes = [math.prod(shape) if shape else 0 for shape in shapes]
    sides = [shape[0] if shape and len(shape) > 1 else 0 for shape in shapes]
    found = [
        NetworkBlock("input", "", _shape(portrait.input_shape), "", 0.0, 0, None),
        *(
            NetworkBlock(
                each.name,
                each.kind,
                _shape(each.output_shape),
                f"{each.parameters:,} parameter{'' if each.parameters == 1 else 's'}",
                0.0,
                0,
                each.trainable,
            )
            for each in portrait.blocks
        ),
    ]
    flat = [size for size, side in zip(sizes, sides, strict=True) if not side]
    return tuple(
        NetworkBlock(
            block.name,
            block.kind,
            block.shape,
            block.detail,
            _relative(side, sides, least=0.3) if side else _relative(size, flat, least=0.2),
            _sheets(shape) if side else 0,
            block.trainable,
        )
        for block, shape, size, side in zip(found, shapes, sizes, sides, strict=True)
    )


def drawing(block: NetworkBlock) -> list[tuple[float, float, float, float]]:
    """A block's rectangles ``(left, top, width, height)`` in a box of 110 x 110."""
    if not block.sheets:
        height = 100 * block.height
        return [(46, round((110 - height) / 2, 1), 18, round(height, 1))]
    side = 64 * block.height
    corner = (110 - side - 7 * (block.sheets - 1)) / 2
    return [
        (round(corner + 7 * at, 1), round(corner + 7 * at, 1), round(side, 1), round(side, 1))
        for at in range(block.sheets)
    ]


def _shape(shape: tuple[int, ...] | None) -> str:
    return " × ".join(f"{side:,}" for side in shape) if shape else "?"


def _sheets(shape: tuple[int, ...] | None) -> int:
    """How many feature maps are drawn for those that there are: 1 to 6."""
    channels = shape[2] if shape and len(shape) > 2 else 1
    return min(6, 1 + int(math.log2(max(channels, 1))))


def _relative(value: int, among: list[int], *, least: float) -> float:
    """``value`` on a logarithmic scale that ends at 1 for the greatest."""
    greatest = max(among)
    if value <= 0 or greatest <= 1:
        return least
    return max(least, math.log(value + 1) / math.log(greatest + 1))
