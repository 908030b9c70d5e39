"""Turns texts into unit vectors: the protocols, sentence-transformers behind it, and who a model is."""
