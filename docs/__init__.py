"""The documentation's pages, and the commands that make what is made of it."""
