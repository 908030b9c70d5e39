"""How is a whole database copied and put back? A database in, one file with a checksum out, and back; no damaged file."""
