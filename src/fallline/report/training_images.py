"""Pixels of a training's pictures: examples in grey or colour, weights around zero, PNG bytes."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_STOPS = ("#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b")
"""Blue for what is below zero, white for zero, red above: told apart by the colour-blind too
(Brewer's RdBu)."""
_MOST_SIDE = 64
_MOST_SIDE_COLOURED = 32
_QUANTILE = 0.995


def signed_limit(values: np.ndarray) -> float:
    """The value that gets the strongest colour: the 99.5th percentile of the sizes, never 0."""
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size:
        return 1.0
    return float(np.quantile(sizes, _QUANTILE)) or float(sizes.max()) or 1.0


def signed(values: np.ndarray, limit: float) -> np.ndarray:
    """Colours around zero, ``(..., 3)`` uint8, for ``values`` ``(...)`` from -limit to limit."""
    stops = np.array([[int(s[at : at + 2], 16) for at in (1, 3, 5)] for s in _STOPS], float)
    places = (np.clip(values / limit, -1.0, 1.0) + 1.0) / 2.0 * (len(stops) - 1)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def signed_gradient() -> str:
    """The colours as a CSS gradient, from the lowest to the highest value."""
    return f"linear-gradient(90deg, {', '.join(_STOPS)})"


def shown(x: np.ndarray) -> np.ndarray:
    """Examples ``(n, h, w[, 1 or 3])`` as pixels ``(n, h, w, 3)`` uint8, small ones as they are.

    uint8 pixels that reach beyond 63 are shown as they are; other numbers are spread between the
    least and the greatest of all of them.
    """
    pixels = x[..., None] if x.ndim == 3 else x
    most = _MOST_SIDE if pixels.shape[-1] == 1 else _MOST_SIDE_COLOURED
    step = max(1, -(-max(pixels.shape[1:3]) // most))
    pixels = pixels[:, ::step, ::step]
    if not len(pixels):
        return np.zeros((*pixels.shape[:3], 3), np.uint8)
    if not (pixels.dtype == np.uint8 and pixels.max() > 63):
        values = np.nan_to_num(pixels.astype(float))
        low, high = values.min(), values.max()
        pixels = np.round(255 * (values - low) / ((high - low) or 1.0)).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of ``(height, width, 3)`` uint8; one channel where all three are equal."""
    height, width, _ = pixels.shape
    grey = bool((pixels == pixels[..., :1]).all())
    rows = np.ascontiguousarray(pixels[..., :1] if grey else pixels).reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if grey else 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def data_uri(pixels: np.ndarray) -> str:
    """A PNG as the address of an ``<img>``."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
