"""The five published studies, each end to end.

Imports the rooms up to `training`.
"""
