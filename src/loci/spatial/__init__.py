"""Where things are and where one can go: octree, floor map, frontiers, rooms, places and paths."""
