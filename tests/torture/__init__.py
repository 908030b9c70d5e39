"""A machine that fails at every point: kills, calls that fail or stop half-way, power cuts. See `__main__`."""
