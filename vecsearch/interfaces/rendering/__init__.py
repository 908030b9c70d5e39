"""Answers as text and as JSON, written once for every interface. Prints nothing and computes no answer."""
