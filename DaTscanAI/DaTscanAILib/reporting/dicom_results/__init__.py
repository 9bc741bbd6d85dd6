"""Results as DICOM objects of the scan's own study: structured report, captures of the pictures, encapsulated PDF.

Needs highdicom, which Slicer brings; nothing here is imported unless DICOM results are asked for.
"""
