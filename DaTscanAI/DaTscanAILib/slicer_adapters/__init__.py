"""The only room that knows Slicer: MRML nodes, views, tasks in the background.

Imports the chain and the rooms up to `batch`.
"""
