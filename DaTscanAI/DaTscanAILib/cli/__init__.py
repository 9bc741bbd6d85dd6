"""The command line, one file a command; nothing imports it.

Imports any room but `slicer_adapters`.
"""
