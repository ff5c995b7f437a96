"""Data sets: splits, scaling, files, and the built-in sources. Free of JAX."""
