"""The version that results, model cards and CITATION.cff carry."""

VERSION = "0.1.0"
