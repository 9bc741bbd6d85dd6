"""Results as DICOM objects of the scan's own study: structured report, captures of the pictures, encapsulated PDF.

Imports what `reporting` does, and highdicom, which Slicer brings, when DICOM results are asked for.
"""
