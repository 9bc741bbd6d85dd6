"""MNI space: its grid, labels, regions and templates, and the affine geometry that leads there.

Imports `base`.
"""
