"""Many scans, by one process, several, or a cluster.

Imports the rooms up to `reporting`.
"""
