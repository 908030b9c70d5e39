"""Reads what users have: sources (which files) → loaders (what they say) → chunker (where to cut). Never encodes or stores."""
