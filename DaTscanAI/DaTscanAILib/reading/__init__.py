"""From a file, folder or manifest to a `Scan` with the right geometry, or one sentence that says why not.

Imports `base` and `mni`.
"""
