"""The version that results, model cards and CITATION.cff carry."""

VERSION = "0.2.1"


RESEARCH_USE = "Research use only. Not a medical device."
