"""How does a collection change? Documents in, one durable transaction a call; to be used under the write lock."""
