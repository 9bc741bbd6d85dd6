"""Networks, model folders, and the answer with its doubt.

Imports the rooms up to `explanation`.
"""
