"""One number for a scan and all that decides its result, by which `--resume` knows what still stands."""

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache

import numpy as np

from ..base.version import VERSION
from ..classification.model_folder import find_model
from ..reading.clinical import clinical_of
from ..reading.dicom_source import DicomSource
from ..reading.inputs import Case
from ..reading.scan import Scan
from .options import Options


def inputs_sha256(scan: Scan, case: Case, options: Options, source: DicomSource | None) -> str:
    """SHA-256 of all that decides a result, so that `--resume` never keeps one of another scan or model.

    Args:
        scan: of the case, as read.
        source: where DICOM results would belong; None where none were asked for.
    """
    facts = [scan.path.name, scan.series, scan.format, scan.affine.tolist(), scan.voxels.shape, scan.warnings]
    normals = options.database()
    choices = [
        VERSION,
        options.report and options.report_language,
        asdict(clinical_of(scan, case.other)),
        options.keep_identifiers,
        options.map_method,
        _model_facts(options.model),
    ]
    choices += [normals and normals.to_json()]
    choices += [_model_facts(options.second_reader)] if options.second_reader else []
    choices += [asdict(source)] if source else []
    facts += [asdict(scan.patient), asdict(scan.camera), vars(scan.identifiers) if options.keep_identifiers else None]
    digest = hashlib.sha256(json.dumps([facts, choices]).encode())
    digest.update(scan.voxels)
    if scan.covered is not None:
        digest.update(np.packbits(scan.covered))
    return digest.hexdigest()


@lru_cache(maxsize=2)
def _model_facts(name):
    model = find_model(name)
    network = [model.name, model.architecture, model.weights, model.reference.sha256]
    return [*network, asdict(model.preprocessing), asdict(model.rule)]
