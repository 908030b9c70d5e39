"""Makes what a command can make of the documentation: references, sessions, pictures. Writes no sentence of its own."""
