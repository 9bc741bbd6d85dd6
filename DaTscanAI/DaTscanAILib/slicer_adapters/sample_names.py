"""The bundled samples and the names of their nodes."""

SAMPLES = {"reduced": "DaTscanReduced", "normal": "DaTscanNormal"}
