"""Fast forms of what is slow in XLA, and the rewriting that puts them under any JAX function."""

from fallline.kernels.rewriting import fast

__all__ = ["fast"]
