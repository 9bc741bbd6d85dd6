"""Scans with known truth, and the simulator judged from outside.

Imports the rooms up to `evaluation`.
"""
