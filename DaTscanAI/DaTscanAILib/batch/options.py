"""How a batch runs, and whether it can."""

from dataclasses import dataclass
from pathlib import Path

from ..classification.answer import choose_device
from ..classification.model_folder import find_model
from ..explanation.methods import DEFAULT_METHOD
from ..quantification.normals import NormalDatabase, read_normals
from ..reporting.dicom_results.write import check_available
from ..reporting.language import DEFAULT as DEFAULT_LANGUAGE
from ..reporting.language import find_language


@dataclass(frozen=True)
class Options:
    """How a batch runs.

    Attributes:
        output: folder of the results.
        model, device: of the classifier.
        second_reader: another model, whose disagreement makes an answer uncertain; None for none.
        map_method: how relevance is made, of `explanation.methods.METHODS`.
        workers: processes; results do not depend on it.
        resume: keep the cases that a former run has finished with the same scan, model and options.
        report: write `report.pdf`.
        report_language: of it, a name of `reporting.language.language_names`.
        keep_identifiers: put name, identifier, birth date and accession number into `result.json` and the report.
        dicom_results: also write structured report, pictures and report as DICOM, into the scan's own study; a scan
            that is no DICOM is refused then.
        normals: database to set the scans beside, a path or the name of a shipped one; None gives no z-scores.
        scheduler: address of a dask scheduler whose workers take the place of processes of this machine; they
            must see the same files under the same paths.
    """

    output: Path
    model: str | None = None
    second_reader: str | None = None
    device: str = "auto"
    map_method: str = DEFAULT_METHOD
    workers: int = 1
    resume: bool = False
    report: bool = True
    report_language: str = DEFAULT_LANGUAGE
    keep_identifiers: bool = False
    dicom_results: bool = False
    normals: str | None = None
    scheduler: str | None = None

    def database(self) -> NormalDatabase | None:
        """The database of normals that was asked for; None for none.

        Raises:
            DaTscanError: it is not there, or cannot be read.
        """
        return None if self.normals is None else read_normals(self.normals)


def check_options(options: Options) -> None:
    """An unusable model, normals or language, or a missing package, are one error now, not one for each case.

    Raises:
        DaTscanError: it cannot be used.
    """
    options.database()
    find_language(options.report_language)
    if options.dicom_results:
        check_available()
    find_model(options.model).check_weights()
    if options.second_reader:
        find_model(options.second_reader).check_weights()
    if options.device == "cuda" and options.scheduler is None:
        choose_device("cuda")
