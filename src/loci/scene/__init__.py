"""The scene memory: objects, the snapshots that show them, and what a question needs of both (3D-Mem, arXiv 2411.17735)."""
