"""Scans that arrive by themselves: a watched folder, a DICOM receiver, a module of a routing system.

Imports the rooms up to `batch`.
"""
