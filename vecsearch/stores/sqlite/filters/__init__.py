"""Which documents does a filter hold for? A filter in, ids by the metadata index out; values are bound, never SQL text."""
