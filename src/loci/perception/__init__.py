"""What turns camera images into observations: rectification, detectors and encoders.

Nothing here remembers anything; heavy models are imported only when they are asked for.
"""
