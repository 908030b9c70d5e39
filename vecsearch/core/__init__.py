"""The vocabulary everyone shares: frozen values, one error tree, every tunable on one page. Imports nothing of ours."""
