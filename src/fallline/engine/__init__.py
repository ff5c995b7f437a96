"""The engine: pure compute, no files, no printing."""
