"""Reads what users have. Never encodes or stores.

scan (which files) → parser_process (apart, within limits) → loaders (what they say) → chunking (where to cut, and where that is).
"""
