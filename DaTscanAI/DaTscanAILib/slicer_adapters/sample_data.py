"""The bundled sample scans: in the panel and in the module Sample Data, without any download."""

from pathlib import Path

from slicer.i18n import tr as _

from ..base.resources import resource_path
from .sample_names import SAMPLES
from .volumes import load_scan, show_loaded

CATEGORY = "DaTscanAI"


def load_sample(name: str = "reduced"):
    """A new volume node with a bundled sample, "reduced" or "normal"."""
    return load_scan(resource_path("Samples", f"{name}.dcm"), SAMPLES[name])


def register_samples(icons: Path) -> None:
    """Add the samples to the module Sample Data.

    Args:
        icons: folder of the thumbnails.
    """
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataCategory(CATEGORY, title=_("DaTscan AI"))
    for name, node_name in SAMPLES.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=node_name,
            thumbnailFileName=str(icons / f"{node_name}.png"),
            uris=resource_path("Samples", f"{name}.dcm").as_uri(),
            fileNames=f"{node_name}.dcm",
            nodeNames=node_name,
            loadFileTypes="DaTscanSPECT",
            customDownloader=lambda _source, name=name: show_loaded(load_sample(name)),
        )
