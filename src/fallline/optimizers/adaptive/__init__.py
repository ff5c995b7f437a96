"""Rates of their own for every parameter, before Adam: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from fallline.optimizers.adaptive import adaptive

ENTRIES = (*adaptive.ENTRIES,)
