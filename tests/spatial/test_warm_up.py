"""After warming up, nothing is left to compile."""

from __future__ import annotations

from loci.spatial import ballot_kernels, grid_kernels, image_kernels, ray_kernels, step_kernels
from loci.spatial.warm_up import warm_up

#: Those that an image or a query meets; street graphs compile when they are imported.
MODULES = (ballot_kernels, grid_kernels, image_kernels, ray_kernels, step_kernels)


def test_every_kernel_is_compiled_afterwards() -> None:
    warm_up()
    compiled = [f for module in MODULES for f in vars(module).values() if hasattr(f, "signatures")]
    assert len(compiled) >= 9
    left = [f.__name__ for f in compiled if not f.signatures and not f.__name__.startswith("_")]  # those are inlined
    assert not left
