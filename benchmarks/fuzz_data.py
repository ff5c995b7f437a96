"""Files of data as readers of damaged input: IDX, CSV, arrays, shards, weights."""

from __future__ import annotations

import gzip
import io
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz_reader import Reader, put, text


def _idx_seeds() -> list[bytes]:
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">HBBI", 0, 8, 1, 5) + bytes([3, 1, 4, 1, 5])
    doubles = struct.pack(">HBBI2d", 0, 0x0E, 1, 2, 0.1, 1e300)
    bomb = struct.pack(">HBBI", 0, 8, 1, 9) + bytes(2**22)
    plain = [images, labels, doubles]
    return [*plain, *(gzip.compress(each, mtime=0) for each in (*plain, bomb))]


def _read_idx(data: bytes, folder: Path) -> object:
    from fallline.data.files import read_idx

    return read_idx(put(data, folder, "file-idx3-ubyte"))


def _csv_seeds() -> list[bytes]:
    return [
        b"a,b,y\n1,2,0\n3,4,1\n5,6,0\n",
        b'a;"b;c";y\n1,5;x;red\n2;y;blue\n',
        "\ufeffa\tstadt\ty\r\n1\tK\u00f6ln\t0.5\r\n2\tBonn\t0.25\r\n".encode(),
        b"y,z\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(40)),
    ]


def _read_csv(data: bytes, folder: Path) -> object:
    from fallline.data.table import read_csv, read_table

    path = put(data, folder, "table.csv")
    if len(data) % 16 == 0:
        return read_csv(path, "y")
    return read_table(path, "y")


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npy_seeds() -> list[bytes]:
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = (numbers, np.asfortranarray(numbers), numbers.astype(np.uint8), np.array(["a", "bc"]))
    objects = io.BytesIO()
    np.save(objects, np.array([None, 1], dtype=object), allow_pickle=True)
    return [*map(_npy, arrays), objects.getvalue()]


def _read_npy(data: bytes, folder: Path) -> object:
    from fallline.data import npy

    file = npy.examine(put(data, folder, "x-00000.npy"))
    return npy.mapped.__wrapped__(file).array.sum if file.dtype.kind in "iuf" else file


@cache
def _shard_seeds() -> list[bytes]:
    """Each file of two shards, with its name before it."""
    rng = np.random.default_rng(0)
    seeds = []
    for number, rows in enumerate((12, 8)):
        x = rng.normal(size=(rows, 3)).astype(np.float32)
        y = np.arange(rows) % 2
        seeds += [
            f"{letter}-{number:05}.npy\n".encode() + _npy(a)
            for letter, a in zip("xy", (x, y), strict=True)
        ]
    return seeds


def _read_shards(data: bytes, folder: Path) -> object:
    """A folder of shards with one file damaged, or under another name."""
    from fallline.data import npy, shards

    for each in folder.iterdir():
        each.unlink()
    name, _, content = data.partition(b"\n")
    damaged = text(name).replace("/", "").replace("\0", "")[:50]
    for each in _shard_seeds():
        own, _, good = each.partition(b"\n")
        put(good, folder, own.decode())
    if damaged.strip("."):
        put(content, folder, damaged)
    try:
        found = shards.from_shards(folder)
        return found.train.x[:2]
    finally:
        npy.mapped.cache_clear()


@cache
def _task() -> Any:
    """A small network and its data."""
    from fallline import Task, models

    return Task(models.MLP(2, (4,)), (np.arange(120.0).reshape(40, 3), np.arange(40) % 2))


def _weights_seeds() -> list[bytes]:
    """The weights of that network, of another one, in another type."""
    import jax
    from safetensors.numpy import save

    from fallline.store import weights

    tree, _ = _task().pure.init(jax.random.key(0))
    arrays = {name: np.array(array) for name, array in weights.flatten(tree).items()}
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    about = {"task": "digits-mlp", "precision": "float32"}
    return [
        save(arrays),
        save(arrays, metadata=about),
        save(halves, metadata={"precision": "bf16"}),
        save({"x": np.zeros((0, 3), np.int64), "y": np.array(1.0)}),
    ]


def _read_weights(data: bytes, folder: Path) -> object:
    """Weights for a network; every eighth input itself says for which.

    Half of them get a header of the length that they say, or hardly any would be read further.
    """
    from fallline import api

    if len(data) % 2:
        header = data[8 : data.rfind(b"}}") + 2]
        rest = data[8 + len(header) :].lstrip(b" ")
        data = struct.pack("<Q", len(header)) + header + rest
    path = put(data, folder, "weights.safetensors")
    return api.load(path, None if len(data) % 8 == 0 else _task())


IDX = Reader(
    "an IDX file, plain or gzipped",
    _idx_seeds,
    _read_idx,
    (b"\x1f\x8b", b"\0\0\x08\x03", b"\xff" * 4, b"\0" * 4),
)
CSV = Reader(
    "a table in CSV",
    _csv_seeds,
    _read_csv,
    (
        *(b",", b";", b"\t", b'"', b"\n", b"\r", b"\0", b"nan", b"1e999", b"1_0", b"y", b"\xff"),
        *(b'"' * 99, b"," * 999, b"9" * 400, "\u2028".encode(), "\u0663".encode()),
        b"x" * 140_000,
    ),
)
_NPY = (
    *(b"(", b")", b"'descr'", b"'|O'", b"'<f8'", b"'|V0'", b"'<U99999999'", b"True", b"-1,"),
    *(b"9" * 20 + b",", b"0,", b"(" * 200, b"__import__('os')", b"[('a','<f4')]"),
)
NPY = Reader("an array in a .npy file", _npy_seeds, _read_npy, _NPY)
SHARDS = Reader(
    "a folder of shards with one damaged file",
    _shard_seeds,
    _read_shards,
    (*_NPY, b"x-00009.npy\n", b"y-1.npy\n", "x-\u0663.npy\n".encode(), b"/../", b"nan"),
)
WEIGHTS = Reader(
    "weights in a safetensors file, as 'fallline evaluate' loads them",
    _weights_seeds,
    _read_weights,
    (
        *(b"{", b"}", b"[", b"]", b'"', b":", b",", b'"F32"', b'"F64"', b'"I64"', b'"BOOL"'),
        *(b'"BF16"', b'"shape":[', b"9" * 20, b"-1", b"0", b'"data_offsets":[0,0]', b"[" * 999),
        *(
            b'"__metadata__":{',
            b"Dense_0/kernel",
            b"digits-mlp",
            b"float64",
            b"\xff" * 8,
            b"\0" * 8,
        ),
    ),
)
