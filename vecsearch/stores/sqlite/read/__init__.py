"""What does a collection hold? Ids and queries in, rows of one committed state out; never writes."""
