"""Result files, pictures and the report of one case.

Imports the rooms up to `classification`, and the chain (`analysis.py`).
"""
