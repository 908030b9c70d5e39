"""Reads what users have. Never encodes or stores.

sources (which files) → parsing (apart, within limits) → loaders (what they say) → chunker (where to cut, and what place that is).
"""
