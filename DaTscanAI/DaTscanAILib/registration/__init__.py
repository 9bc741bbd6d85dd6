"""A scan to the FP-CIT template by an affine, and how far to trust it.

Imports `base`, `mni` and `reading`.
"""
