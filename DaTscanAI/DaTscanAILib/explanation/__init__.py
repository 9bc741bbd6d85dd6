"""Relevance maps, and what tests them.

Imports the rooms up to `quantification`; a network comes as an argument.
"""
