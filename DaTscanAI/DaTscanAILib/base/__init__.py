"""What everything may use: errors, whole-or-nothing files, resources, versions, processes, progress.

Imports nothing else of this package.
"""
