def height(hours: float) -> float:
    """Metres above low water."""
    return 2.0 * (1 - hours / 6)
