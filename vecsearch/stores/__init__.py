"""Where are documents kept? `base` says what a store takes and gives; each package beside it is one, which `api.open` imports."""
