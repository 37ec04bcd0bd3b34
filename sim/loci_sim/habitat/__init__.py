"""Habitat behind the `Simulator` protocol: the simulator itself runs in a worker process under an interpreter of its own."""
