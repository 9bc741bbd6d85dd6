"""Numbers that are not finite, which JSON does not know."""

import numpy as np


def without_non_finite(result: dict) -> dict:
    """A copy with None for numbers that are not finite, and a warning that names each.

    Args:
        result: content of `result.json`, with its list `warnings`.
    """
    lost = []

    def clean(value, where):
        if isinstance(value, dict):
            return {key: clean(item, f"{where}.{key}" if where else key) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(item, where) for item in value]
        if isinstance(value, (float, np.floating)) and not np.isfinite(value):
            lost.append(where)
            return None
        return value.item() if isinstance(value, np.generic) else value

    cleaned = clean(result, "")
    cleaned["warnings"] += [f"{where} is not available." for where in dict.fromkeys(lost)]
    return cleaned
