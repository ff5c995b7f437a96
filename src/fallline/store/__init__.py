"""The store: a study's folder, read and written without JAX."""
