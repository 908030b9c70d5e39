"""Check whether the truth is sound and everything derived agrees with it, and derive again what can be derived."""
