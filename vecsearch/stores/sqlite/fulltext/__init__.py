"""Which chunks hold the terms of a query? Chunks and parsed queries in, BM25 scores out; parses no query itself."""
