"""What users touch: the shell, and how answers look. One library call per command."""
