"""Scaling, hottest voxels, SBR, mirroring, normal values.

Imports the rooms up to `registration`.
"""
