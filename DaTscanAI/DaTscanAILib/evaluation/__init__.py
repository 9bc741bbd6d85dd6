"""How good answers and maps are on labelled scans.

Imports the rooms up to `batch`.
"""
