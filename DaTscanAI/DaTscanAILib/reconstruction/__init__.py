"""From projections to an image, for users and for the simulator alike.

Imports `base`, `mni` and `reading`.
"""
