"""How is the SQLite file created, opened, locked and migrated? A folder in, transactions out; knows no ranking."""
