"""Preparation, augmentation, the engine, calibration, adapting to a site.

Imports the rooms up to `simulation`.
"""
