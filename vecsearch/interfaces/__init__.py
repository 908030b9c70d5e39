"""What users touch: the shell, and how answers look. Each command parses, calls the public API once, and prints."""
