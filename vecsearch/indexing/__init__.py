"""How do files and texts get into a collection? Files in, committed batches and a report out; refuses to mix two models."""
