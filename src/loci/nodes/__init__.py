"""ROS 2 nodes over the library: they carry messages in and out and hold no algorithm. The only part that imports rclpy."""
