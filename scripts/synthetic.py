"""Numbers for synthetic weights that any language rebuilds."""

import numpy as np

MASK, GAMMA = (1 << 64) - 1, 0x9E3779B97F4A7C15


def uniform(name, n):
    """Element i is u = splitmix64(fnv1a64(NAME) + (i + 1) * GAMMA) >> 40, over 2^24."""
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        x = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(GAMMA)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float64) / 2**24
