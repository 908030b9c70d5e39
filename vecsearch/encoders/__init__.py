"""Turns texts into unit vectors: the Encoder protocol, sentence-transformers behind it, and who a model is."""
