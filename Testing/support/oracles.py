"""Independent implementations that results are compared with."""

from DaTscanAILib.benchmarking.zennit_peer import import_zennit, zennit_relevance

__all__ = ["import_zennit", "zennit_relevance"]
