"""The shell: data on stdout, progress and messages on stderr. Knows the public API, nothing of stores or models."""
