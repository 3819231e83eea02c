"""Well-mixed bits: the finaliser of SplitMix64, whose constants are the best known of its kind.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014); the constants are Stafford's variant 13
of MurmurHash3's finaliser. Hash tables and random streams stand on it; every bit of the result depends on every bit of
the word.
"""

import numpy as np

from services.quant.jit import inlined

# 2**64 over the golden ratio: multiples of it lie evenly, which makes a counter a stream.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)


@inlined
def mixed(word: np.uint64) -> np.uint64:
    """Sixty-four well-mixed bits of a word; different words give different bits."""
    z = (word ^ (word >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)
