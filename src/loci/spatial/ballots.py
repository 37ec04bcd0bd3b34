"""What one scan says about a voxel, packed into an int16 that every kernel and its torch reference share.

Bits 0-4: rays that passed it, 5-9: rays that ended at its surface, both in sixteenths of the rays that could have; 10-13: the
strongest measurement in it, in fifteenths; 14: a ray crossed it and ended behind, and none ended in it. 0: nothing is said.
"""

from __future__ import annotations

#: Full strength of a measurement.
FULL = 15
MISS = 1 << 14
#: All rays into the voxel pass it.
EVERYTHING_PASSED = MISS | 16
