"""The whole chain for one scan, warm, on all cores, beside the same chain put together from peer libraries."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..analysis import Analyzer
from ..base.allocator import MODEST, keep_freed_memory
from ..classification.model_folder import find_model
from ..mni.atlas import load_atlas
from ..quantification.mirroring import ipsilateral_left
from ..quantification.sbr import quantify
from ..quantification.scaling import normalize
from ..reading.dicom_source import read_dicom_source
from ..reading.scan import read_scan
from ..reporting.dicom_results.write import write_dicom_results, write_structured_report
from ..reporting.result_files import write_case
from .child import environment, in_child
from .goals import Findings, Measured
from .machine import cores, is_installed, package_version
from .registration_peers import register_with_simpleitk
from .settings import Settings
from .timing import middle, take_turns
from .workloads import contrast_of, sample_file
from .zennit_peer import zennit_propagator


def run(settings: Settings) -> Findings:
    """Both chains in turn in one process, from the bundled DICOM file to answer and map."""
    peer = is_installed("zennit")
    model = str(find_model(settings.model).folder.resolve())
    seconds = in_child(time_chains, environment(), model=model, repetitions=settings.repetitions, peer=peer)
    ours, theirs = middle(seconds["ours"]), middle(seconds.get("peer", []))
    return Findings(
        {
            "chain_ratio": Measured(ours, theirs, "" if peer else "peer not installed", seconds),
            "chain_time": Measured(ours, note="without the result files"),
            "chain_files": Measured(middle(seconds["files"])),
            **{
                key: Measured(
                    middle(seconds.get(task, [])), note="" if task in seconds else "highdicom is not installed"
                )
                for key, task in (("chain_dicom_report", "report"), ("chain_dicom", "dicom"))
            },
        }
    )


def time_chains(model: str, repetitions: int, peer: bool) -> dict[str, list[float]]:
    """Seconds of `ours`, of writing its result `files`, a DICOM `report` and all `dicom` results (where highdicom is
    installed), and, if wanted, of the `peer` chain.
    """
    keep_freed_memory(MODEST)  # as the command line and Slicer's process do
    analyzer = Analyzer(model, "cpu")
    finished = analyzer.analyze(read_scan(sample_file()), "sample")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tasks = {
            "ours": lambda: analyzer.analyze(read_scan(sample_file()), "sample"),
            "files": lambda: write_case(Path(folder) / "sample", finished),
        }
        if package_version("highdicom"):
            case, source = Path(folder) / "sample", read_dicom_source(sample_file())
            write_case(case, finished)
            tasks["report"] = lambda: write_structured_report(case, finished, source)
            tasks["dicom"] = lambda: write_dicom_results(case, finished, source)
        if peer:
            chain = stack.enter_context(_PeerChain(model))
            tasks["peer"] = lambda: chain.analyze(sample_file())
        return take_turns(tasks, repetitions)


class _PeerChain(ExitStack):
    """Registration by SimpleITK, the same measurements, and zennit on the same networks; ready for many scans."""

    def __init__(self, model: str):
        super().__init__()
        self.model, self.atlas = find_model(model), load_atlas()
        self.members = [
            self.enter_context(zennit_propagator(network, contrast_of(network)))
            for network in self.model.load_networks()
        ]

    def analyze(self, file):
        import torch

        scan = read_scan(file)
        affine = register_with_simpleitk(scan, threads=cores())
        normalized = normalize(scan.voxels, scan.affine, affine, self.atlas)
        quantification = quantify(normalized, self.atlas)
        voxels = ipsilateral_left(normalized.voxels, quantification.mirrored)
        image = np.ascontiguousarray(self.model.network_input(voxels, self.atlas), np.float32)
        answers = [propagate(torch.from_numpy(image)[None, None]) for propagate in self.members]
        relevance = sum(relevance for _, relevance in answers) / len(answers)
        return quantification, [logits for logits, _ in answers], self.model.preprocessing.restore(relevance.numpy())
