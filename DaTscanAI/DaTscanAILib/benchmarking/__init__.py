"""Each stage timed on this machine, beside the peer libraries that do the same work.

Imports the rooms up to `studies`.
"""
