"""The chain on Slicer's nodes, for the panel and the Python console: `DaTscanAI.DaTscanAILogic`."""

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ..base.errors import DaTscanError
from .parameters import DaTscanAIParameterNode


class DaTscanAILogic(ScriptedLoadableModuleLogic):
    """The chain on nodes; everything works from the Python console, without the panel.

    Example:
        >>> logic = DaTscanAI.DaTscanAILogic()
        >>> volume = logic.loadSample("reduced")
        >>> result = logic.process(volume)
        >>> result["classification"]["label"], result["quantification"]["sbr"]["putamen_right"]
    """

    def getParameterNode(self):
        """The scene's parameters, typed."""
        return DaTscanAIParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    @property
    def session(self):
        """The scans of the scene under what the parameter node chooses."""
        from .session import Session

        return Session(self.getParameterNode())

    def loadScan(self, path, name=None):
        """Load a file or a DICOM folder with the geometry that nuclear medicine needs; gives the volume node.

        Raises:
            DaTscanError: it is not a usable scan.
        """
        from .volumes import load_scan

        return load_scan(path, name)

    def loadSample(self, name="reduced"):
        """Load a bundled simulated scan, "reduced" or "normal"; gives the volume node."""
        from .sample_data import load_sample

        return load_sample(name)

    def flip(self, inputVolume, axis):
        """Correct a header: exchange "S" head and foot, "R" left and right or "A" front and back."""
        from .volumes import flip

        flip(inputVolume, axis)

    def process(
        self,
        inputVolume,
        lastStage="classification",
        model=None,
        device="auto",
        method=None,
        normals=None,
        secondReader=None,
        mapMethod="integrated-gradients",
        registrationTransform=None,
        showResult=True,
        waitForCompletion=True,
        progress=None,
        finished=None,
    ):
        """Analyze one volume; the nodes of its case are made or brought up to date.

        Args:
            inputVolume: scalar volume node with the reconstructed scan.
            lastStage: "registration", "quantification" or "classification".
            model: name of a shipped model or a model folder; None for the default.
            device: "auto", "cpu" or "cuda".
            method: `quantification.other_method.Method` of the SBRs; None for the default.
            normals: database to set the scan beside (`normals build`), a path or a name; None gives no z scores.
            secondReader: another model that reads the scan too; None for none.
            mapMethod: "integrated-gradients" or "lrp".
            registrationTransform: linear transform node, scan to MNI, in place of the automatic registration.
            showResult: show the case in the views.
            waitForCompletion: if False, another process does the work and a task with `cancel()` is returned.
            progress: called with `{"stage": name}` as each stage begins.
            finished: called with the outcome when a task has ended.

        Returns:
            The content of `result.json`; its `error` says why there is no answer, None if there is one.

        Raises:
            DaTscanError: volume, transform, model or device cannot be used.
        """
        from .running import run_scan

        if inputVolume is None:
            raise DaTscanError("No volume was given: select or load a scan.")
        choices = {"method": method, "model": model, "normals": normals, "second_reader": secondReader}
        choices["map_method"] = mapMethod
        options = {"last_stage": lastStage, "device": device, **choices}
        show = (lambda: self.session.select(inputVolume, choices)) if showResult else None
        return run_scan(inputVolume, registrationTransform, options, show, waitForCompletion, progress, finished)

    def compareScans(
        self,
        priorVolume,
        inputVolume,
        years=None,
        normals=None,
        showResult=True,
        waitForCompletion=True,
        progress=None,
        finished=None,
    ):
        """Compare a volume with an earlier scan of the same patient, as the command `compare` does.

        Args:
            priorVolume, inputVolume: scalar volume nodes, the earlier scan first; both are measured.
            years: between them; None if not known.
            normals: as in `process`.
            showResult: show the change in the views.
            waitForCompletion, progress, finished: as in `process`.

        Returns:
            The content of `comparison.json`.

        Raises:
            DaTscanError: a volume cannot be used or registered, or both are the same.
        """
        from .parameters import Content
        from .running import run_comparison

        if priorVolume is None or inputVolume is None:
            raise DaTscanError("Two scans are compared: select the scan and the patient's earlier one.")

        def show():
            parameters = self.getParameterNode()
            parameters.priorVolume, parameters.priorYears = priorVolume, years or 0.0
            parameters.content = Content.CHANGE
            self.session.select(inputVolume, {"normals": normals})

        how = (show if showResult else None, waitForCompletion, progress, finished)
        return run_comparison(priorVolume, inputVolume, years, normals, *how)

    def saveComparison(self, inputVolume, path):
        """Write the one-page PDF of a volume's comparison with the earlier scan.

        Raises:
            DaTscanError: nothing was compared, or a scan has changed since.
        """
        from .case import Case
        from .prior_scan import save_comparison

        save_comparison(Case.of(inputVolume), path)

    def processBatch(
        self,
        inputs,
        outputFolder,
        model=None,
        normals=None,
        secondReader=None,
        mapMethod="integrated-gradients",
        device="auto",
        resume=False,
        report=True,
        reportLanguage=None,
        dicomResults=False,
        showResult=True,
        waitForCompletion=True,
        progress=None,
        finished=None,
    ):
        """Analyze many scans and write a folder of results, as the command `analyze` does.

        Args:
            inputs: one or a list of files, folders, CSV manifests or volume nodes.
            outputFolder: of the results.
            model, normals, secondReader, mapMethod, device, waitForCompletion, finished: as in `process`.
            resume: keep the cases that a former run has finished.
            report: write `report.pdf` for each case.
            reportLanguage: of it, "en" or "de"; None for English.
            dicomResults: of DICOM files, write report, pictures and page as DICOM too; patients' names stay in them.
            showResult: open the table of results, which the scene has in any case.
            progress: called with `{"case": name, "answer": text, "done": n, "total": m}` after each case.

        Returns:
            The rows of `results.csv`, one dictionary a case.

        Raises:
            DaTscanError: inputs, output folder or model cannot be used; nothing was run.
        """
        from .running import run_batch

        options = {"model": model, "normals": normals, "second_reader": secondReader, "device": device}
        options |= {"resume": resume, "report": report, "dicom_results": dicomResults, "map_method": mapMethod}
        options |= {"report_language": reportLanguage} if reportLanguage else {}
        get_session = (lambda: self.session) if showResult else None
        return run_batch(inputs, outputFolder, options, get_session, waitForCompletion, progress, finished)

    def result(self, inputVolume):
        """What is known of a volume, the content of `result.json`; None before the first analysis.

        Where voxels, header or transform have changed since, `outdated` says by stage why its part no longer holds.
        """
        from .case import Case
        from .inputs import state_for
        from .words import outdated_sentence

        case = Case.of(inputVolume)
        if case is None or case.result is None:
            return None
        stages = state_for(inputVolume).stages.items()
        outdated = {stage: outdated_sentence(known.reason) for stage, known in stages if known.is_outdated}
        return {**case.result, **({"outdated": outdated} if outdated else {})}

    def show(self, inputVolume, keepPosition=False):
        """Show a volume in the four views: what is known of it and still holds, as the parameter node says."""
        self.session.show(inputVolume, keepPosition)

    def compare(self, inputVolume, way="fused"):
        """Show a registered volume with the FP-CIT template: "fused", "checkerboard" or "side_by_side"."""
        self.session.compare(inputVolume, way)

    def showRegions(self, inputVolume, visible=True):
        """Show or hide the regions of an analyzed volume and their hottest voxels."""
        self.session.show_regions(inputVolume, visible)

    def saveReport(self, inputVolume, path, language=None, clinical=None):
        """Write the one-page PDF report of an analyzed volume.

        Args:
            inputVolume: that was analyzed.
            path: of the PDF.
            language: "en" or "de"; None for the one of the parameter node or of the application settings.
            clinical: a dictionary with indication, drugs, dose_mbq, ...: what the header does not say.

        Raises:
            DaTscanError: it has not been measured yet, its result is of other inputs, or there is no such language.
        """
        from .case import Case
        from .inputs import state_for
        from .reports import save_report

        session = self.session
        chosen = language or session.report_language()
        save_report(Case.of(inputVolume), state_for(inputVolume), path, chosen, session.normals(), clinical)

    def saveDicomResults(self, inputVolume, folder, language=None, clinical=None):
        """Write structured report, pictures and page of an analyzed DICOM scan as DICOM, into `NAME_dicom`.

        The objects belong to the scan's own patient and study: **they identify the patient.**

        Args:
            inputVolume: that was analyzed, loaded from DICOM files in this session.
            folder: in which `NAME_dicom` is made.
            language, clinical: as in `saveReport`.

        Returns:
            The folder with the objects.

        Raises:
            DaTscanError: as `saveReport`, or the scan's DICOM files are not known or cannot be referred to.
        """
        from .case import Case
        from .dicom_results import save_dicom_results
        from .inputs import state_for

        if inputVolume is None:
            raise DaTscanError("No volume was given: select or load a scan.")
        session, known = self.session, (Case.of(inputVolume), state_for(inputVolume))
        chosen = language or session.report_language()
        return save_dicom_results(inputVolume, *known, folder, chosen, session.normals(), clinical)
