"""Loci: a spatial, episodic and scene-snapshot memory for robots."""

__version__ = "0.1.0"
