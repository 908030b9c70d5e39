"""Benchmarks of speed, quality and size, next to other tools: each module is a command, `python -m benchmarks.NAME --help`."""
