"""Task suites: what a robot achieves with and without its memory. `loci eval SUITE` runs them (docs/evaluation.md).

Tasks are drawn from what is true of a scene; robots see only what their sensors and the memory's services tell.
"""
