"""Which object is meant by a category and a place: what a planner can say of an object without knowing its ground-truth id."""

from __future__ import annotations

import numpy as np

from loci_sim.protocol import INTERACTIONS, Interaction, InteractionResult
from loci_sim.simulators import AnySimulator

#: An object is not where it is said to be if its box is further away than this [m].
MAX_ERROR = 0.5


def interact_with(
    simulator: AnySimulator, interaction: Interaction, label: str, position: tuple[float, float, float] | None
) -> InteractionResult:
    """Do something with the object in view that is meant, or say why not: then nothing changes and no time passes.

    Args:
        label: its category; empty: any.
        position: (x, y, z) [m] where it is thought to be: the nearest one counts, at most `MAX_ERROR` away. None: the one that
            fills most of the image.

    Raises:
        ValueError: there is no such interaction, neither label nor position is given, or the position is not finite.
    """
    if interaction not in INTERACTIONS:
        raise ValueError(f"expected an interaction among {', '.join(INTERACTIONS)}, got {interaction!r}")
    if not label and position is None:
        raise ValueError("expected a label or a position of the object, got neither")
    if position is not None and not np.all(np.isfinite(position)):
        raise ValueError(f"expected a finite position, got {position}")
    instances, counts = np.unique(simulator.observe().instances, return_counts=True)
    n_pixels = dict(zip(instances.tolist(), counts.tolist(), strict=True))
    seen = [o for o in simulator.objects if n_pixels.get(o.instance, 0) >= simulator.parameters.min_pixels]
    meant = [o for o in seen if label in ("", o.category)]
    name = label or "object"
    if not meant:
        return InteractionResult(False, f"no {name} is in view", simulator.stamp_ns)
    if position is None:
        chosen = max(meant, key=lambda o: n_pixels[o.instance])
        return simulator.interact(interaction, chosen.id)
    point = np.array(position)
    errors = []
    for o in meant:
        local = np.abs((point - o.center) @ o.T_map_box[:3, :3])
        errors.append(float(np.linalg.norm(np.maximum(local - o.size / 2, 0.0))))
    # Inside two boxes (a mug on a table's box), the smaller is meant.
    best = min(range(len(meant)), key=lambda i: (round(errors[i], 3), float(np.prod(meant[i].size))))
    if errors[best] > MAX_ERROR:
        reason = f"the nearest {name} in view is {errors[best]:.2f} m from there, expected {MAX_ERROR:g} m or less"
        return InteractionResult(False, reason, simulator.stamp_ns)
    return simulator.interact(interaction, meant[best].id)
