"""Benchmarks people know, for users who have their files: GOAT-Bench, Habitat ObjectNav, OpenEQA / A-EQA and FindingDory.

Loaders turn the published files into frozen dataclasses in Loci's map frame; `metrics` has the published measures. Nothing here
runs a simulator, asks a model or downloads anything.
"""
