"""How quick, how right and how big, beside the others: each module is a command, `python -m benchmarks.NAME --help`."""
