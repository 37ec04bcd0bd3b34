"""Simulators for Loci: scenes, an embedded renderer and robot, and the `simulator` ROS node.

Ground truth (instance ids, object positions, navigability) stays in this package: it scores, it never informs.
"""
