"""The truth (SQLite) and its shadow (FAISS). The only place that knows either; vectors.py alone knows FAISS."""
