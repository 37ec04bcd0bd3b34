"""Planners ask a memory and drive a robot; they know neither ROS nor a simulator, only the protocols in `loci.planning.protocols`."""
