"""Networks as users write them, in linen and in NNX, for images of 6 x 6 pixels, 2 channels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

SHAPE = (6, 6, 2)


class LinenMLP(nn.Module):
    width: int = 8

    @nn.compact
    def __call__(self, x):
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(3)(nn.relu(nn.Dense(self.width)(x)))


class LinenConv(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), strides=(2, 1))(x))
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


class LinenBatchNorm(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Conv(4, (3, 3))(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


class LinenDropout(nn.Module):
    @nn.compact
    def __call__(self, x, *, deterministic: bool = True):
        x = nn.relu(nn.Dense(16)(x.reshape(x.shape[0], -1)))
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=deterministic)(x))


class LinenNoise(nn.Module):
    """Draws from a stream of its own name."""

    @nn.compact
    def __call__(self, x, training: bool = False):
        x = x.reshape(x.shape[0], -1)
        if training:
            x = x + jax.random.normal(self.make_rng("noise"), x.shape, x.dtype)
        return nn.Dense(3)(x)


class LinenShared(nn.Module):
    """One layer used twice."""

    @nn.compact
    def __call__(self, x):
        twice = nn.Dense(72, name="twice")
        return nn.Dense(3, name="last")(twice(twice(x.reshape(x.shape[0], -1))))


class LinenPair(nn.Module):
    @nn.compact
    def __call__(self, x):
        outputs = nn.Dense(3)(x.reshape(x.shape[0], -1))
        return outputs, outputs


class NnxMLP(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, width: int = 8):
        self.hidden = nnx.Linear(72, width, rngs=rngs)
        self.last = nnx.Linear(width, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))


class NnxConv(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, **settings):
        self.conv = nnx.Conv(2, 4, (3, 3), strides=(2, 1), rngs=rngs, **settings)
        self.last = nnx.Linear(72, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.conv(x)).reshape(x.shape[0], -1))


class NnxBatchNorm(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(2, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.last = nnx.Linear(144, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.norm(self.conv(x))).reshape(x.shape[0], -1))


class NnxDropout(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(72, 16, rngs=rngs)
        self.drops = nnx.List([nnx.Dropout(0.5, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)])
        self.last = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.hidden(self.drops[0](x.reshape(x.shape[0], -1))))
        return self.last(self.drops[1](x))


class NnxScaled(nnx.Module):
    """One layer used twice, one in a list, and a scalar of its own."""

    def __init__(self, rngs: nnx.Rngs):
        self.twice = nnx.Linear(72, 72, rngs=rngs)
        self.again = self.twice
        self.rest = nnx.List([nnx.Linear(72, 3, rngs=rngs)])
        self.gain = nnx.Param(jnp.ones(()))

    def __call__(self, x):
        x = self.again(self.twice(x.reshape(x.shape[0], -1)))
        return self.gain * self.rest[0](x)


ALL = {
    "linen MLP": LinenMLP(),
    "linen convolution": LinenConv(),
    "linen batch-norm": LinenBatchNorm(),
    "linen dropout": LinenDropout(),
    "linen noise": LinenNoise(),
    "linen shared": LinenShared(),
    "linen sequential": nn.Sequential([lambda x: x.reshape(x.shape[0], -1), nn.Dense(3)]),
    "NNX MLP": NnxMLP,
    "NNX convolution": NnxConv,
    "NNX batch-norm": NnxBatchNorm,
    "NNX dropout": NnxDropout,
    "NNX scaled": NnxScaled,
}
