"""DaTscan AI: SBR, a network's answer and why, from one dopamine-transporter SPECT scan."""

import contextlib
import logging
import sys
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.slicer_adapters.parameters import DaTscanAIParameterNode

STAGES = ("registration", "quantification", "classification")


class DaTscanAI(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("DaTscan AI")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Nuclear Medicine")]
        parent.dependencies = ["Volumes", "VolumeRendering", "Colors", "Segmentations"]
        parent.contributors = ["DaTscanAI developers"]
        parent.helpText = _(
            "Dopamine-transporter SPECT (123I-FP-CIT): registration to an FP-CIT template, specific binding ratios "
            "by hottest voxels, a network's answer normal / reduced / uncertain, and the relevance map that explains "
            "it. Research use only. Not a medical device."
        )
        parent.acknowledgementText = _(
            "The default networks were trained on simulated scans. DaTscan is a trademark of GE HealthCare, with "
            "whom this project has no tie."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Add the bundled samples to the module Sample Data."""
    from DaTscanAILib.slicer_adapters.sample_data import register_samples

    register_samples(Path(__file__).parent / "Resources" / "Icons")


class DaTscanAIFileReader:
    """Reads a nuclear-medicine reconstruction that is dropped on Slicer, in place of the module DICOM."""

    def __init__(self, parent):
        self.parent = parent

    def description(self):
        """As the list of readers shows it."""
        return _("DaTscan SPECT")

    def fileType(self):
        """Name of the type, for `slicer.util.loadNodeFromFile`."""
        return "DaTscanSPECT"

    def extensions(self):
        """Of DICOM files, which may have none."""
        return [f"{self.description()} (*.dcm)", f"{self.description()} (*.ima)", f"{self.description()} (*)"]

    def canLoadFileConfidence(self, filePath):
        """More than the module DICOM has (0.6) for what is a reconstructed SPECT, nothing for other files."""
        from DaTscanAILib.slicer_adapters.volumes import is_spect

        return 0.9 if is_spect(filePath) else 0.0

    def load(self, properties):
        """Load into a new volume node; gives whether that went well."""
        # The reader outlives a reload of the module and of the library, and must know the error that is raised now.
        from DaTscanAILib.base.errors import DaTscanError
        from DaTscanAILib.slicer_adapters.volumes import load_scan, show_loaded

        try:
            node = load_scan(properties["fileName"], properties.get("name"))
        except DaTscanError as error:
            self.parent.userMessages().AddMessage(vtk.vtkCommand.ErrorEvent, str(error))
            return False
        if properties.get("show", True):
            show_loaded(node)
        self.parent.loadedNodes = [node.GetID()]
        return True


class DaTscanAIWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: its sections are in `slicer_adapters/panels`; here is what ties them together."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parameters = None
        self.panels = []
        self.isBatchRunning = False
        self._guiTag = None
        self._task = None
        self._shown = None

    def setup(self):
        """Load the panel and connect it."""
        ScriptedLoadableModuleWidget.setup(self)
        from DaTscanAILib.slicer_adapters.panels.all import PANELS

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DaTscanAI.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DaTscanAILogic()
        self.panels = [panel(self) for panel in PANELS]
        self.ui.analyzeButton.connect("clicked()", self.onAnalyzeButton)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def onReload(self):
        """Read the library anew too, when a developer reloads the module."""
        for name in [name for name in sys.modules if name == "DaTscanAILib" or name.startswith("DaTscanAILib.")]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def cleanup(self):
        """Slicer closes, or the module is reloaded."""
        self.cancel()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        """The user opens the module."""
        self.initializeParameterNode()

    def exit(self):
        """The user opens another module: do not react to its changes."""
        self.setParameterNode(None)

    def onSceneStartClose(self, _caller=None, _event=None):
        """The nodes are about to go."""
        self.cancel()
        self.setParameterNode(None)

    def onSceneEndClose(self, _caller=None, _event=None):
        """Go on with an empty scene if the module is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, _caller=None, _event=None):
        """A saved scene brings its scans, results and settings."""
        if self.parent.isEntered:
            self.setParameterNode(self.logic.getParameterNode())

    def initializeParameterNode(self):
        """Observe the scene's parameter node; select a scan if there is one and none is selected."""
        self.setParameterNode(self.logic.getParameterNode())
        if self.parameters.inputVolume is None:
            self.parameters.inputVolume = self.logic.firstScan()

    def setParameterNode(self, parameters):
        """Bind the panel to a parameter node, or to none."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self._shown = self._viewState()
            self.refresh()

    def onParametersModified(self, _caller=None, _event=None):
        """Show what has changed: another scan in the panel, other settings in the views."""
        if self.parameters is None or slicer.mrmlScene.IsImporting():
            return
        state, before = self._viewState(), self._shown
        self._shown = state
        if state != before:
            with self.errorsSaid(_("The case could not be shown.")):
                self.showCase(keepPosition=state[0] == before[0])
        self.refresh()

    def _viewState(self):
        """What the views depend on, beside the results."""
        volume = self.parameters.inputVolume
        settings = self.logic.displaySettings(self.parameters)
        return (volume and volume.GetID(), self.parameters.showRegions, settings)

    def refresh(self):
        """Show the state of the selected scan in all sections."""
        if self.parameters is None:
            return
        result = self.logic.result(self.parameters.inputVolume)
        for panel in self.panels:
            panel.update(result)
            panel.enable(self._task is None)
        if self._task is None:
            hasScan = self.parameters.inputVolume is not None
            self.ui.analyzeButton.text = _("Analyze")
            self.ui.analyzeButton.enabled = hasScan
            self.ui.analyzeButton.toolTip = _("Run the whole chain") if hasScan else _("Select or load a scan.")

    def showCase(self, keepPosition=False):
        """Show the selected case in the views."""
        self.logic.show(self.parameters.inputVolume, keepPosition=keepPosition)

    def say(self, text):
        """Show a sentence below the button, and keep it in the log."""
        self.ui.statusLabel.text = text
        if text:
            self.ui.logText.appendPlainText(text)

    @contextlib.contextmanager
    def errorsSaid(self, title):
        """Bad input is said in the panel; anything else is a defect and gets Slicer's message box."""
        try:
            yield
        except DaTscanError as error:
            self.say(str(error))
        except OSError as error:
            self.say(f"{title} {error.strerror or error}")
        except Exception as error:
            logging.exception("DaTscanAI")
            self.say(f"{title} {error}")
            slicer.util.errorDisplay(f"{title}\n\n{error}")

    def onAnalyzeButton(self):
        """Run the whole chain, or cancel."""
        if self._task is not None:
            self.cancel()
        else:
            self.run("classification", keep="manual")

    def run(self, lastStage, keep):
        """Analyze the selected scan up to a stage.

        Args:
            keep: "registration" (if there is one), "manual" (only if it was made by hand) or "nothing".
        """
        from DaTscanAILib.slicer_adapters.installation import ensure_torch

        volume = self.parameters.inputVolume
        with self.errorsSaid(_("The analysis could not be started.")):
            if lastStage == STAGES[-1] and not ensure_torch():
                return
            self._begin(_("Analyzing {name}").format(name=volume.GetName()), self.ui.analyzeButton, len(STAGES))
            self._task = self.logic.process(
                volume,
                lastStage=lastStage,
                model=self.parameters.model or None,
                device=self.parameters.device.value,
                method=self.logic.methodOfParameters(),
                registrationTransform=self.logic.registrationToKeep(volume, keep),
                waitForCompletion=False,
                progress=self.onProgress,
                finished=self.onScanFinished,
            )
        self._endUnlessRunning()

    def runBatch(self):
        """Analyze many scans, or cancel."""
        if self._task is not None:
            self.cancel()
            return
        from DaTscanAILib.slicer_adapters.installation import ensure_torch

        with self.errorsSaid(_("The batch could not be started.")):
            if not ensure_torch():
                return
            self.isBatchRunning = True
            self._begin(_("Looking for scans"), self.ui.runBatchButton, 0)
            self._task = self.logic.processBatch(
                [self.parameters.batchInput],
                self.parameters.batchOutput,
                model=self.parameters.model or None,
                device=self.parameters.device.value,
                resume=self.parameters.batchResume,
                report=self.parameters.batchReport,
                waitForCompletion=False,
                progress=self.onProgress,
                finished=self.onBatchFinished,
            )
        self._endUnlessRunning()

    def _begin(self, sentence, button, steps):
        """Progress bar on, the button becomes Cancel, everything else is disabled."""
        self._task = _STARTING
        self.say(sentence)
        self.ui.progressBar.maximum = steps
        self.ui.progressBar.value = 0
        self.ui.progressBar.visible = True
        self.ui.analyzeButton.enabled = False
        for panel in self.panels:
            panel.enable(False)
        button.text = _("Cancel")
        button.toolTip = _("Stop now")
        button.enabled = True

    def _endUnlessRunning(self):
        """Back to the idle panel if a task could not be started or has ended already."""
        if self._task is None or self._task is _STARTING or self._task.isDone:
            self._end()

    def _end(self):
        self._task, self.isBatchRunning = None, False
        self.ui.progressBar.visible = False
        self.ui.runBatchButton.text = _("Analyze all")
        self.ui.runBatchButton.toolTip = _("Choose a folder or manifest and a folder for the results.")
        self.refresh()

    def cancel(self):
        """Stop the running task, if there is one."""
        if self._task not in (None, _STARTING):
            self._task.cancel()
            self.say(_("Cancelling..."))

    def onProgress(self, event):
        """One event of the running task: a stage that begins or a case that has ended."""
        bar = self.ui.progressBar
        if "stage" in event:
            bar.value = STAGES.index(event["stage"])
            self.say(_stageInWords(event["stage"]))
            return
        bar.maximum, bar.value = event["total"], event["done"]
        if event["case"] is not None:
            self.say("[{done}/{total}] {case}: {answer}".format(**event))

    def onScanFinished(self, outcome):
        """The task has ended: say how, and show the case."""
        self._end()
        self._report(outcome)
        if outcome.answer is not None and self.parameters is not None:
            self.say(outcome.answer.error or _("Done. {label}").format(label=self.ui.answerLabel.text))

    def onBatchFinished(self, outcome):
        """The batch has ended: say how."""
        self._end()
        self._report(outcome)
        if outcome.answer is not None:
            failed = sum(bool(row["error"]) for row in outcome.answer)
            self.say(_("{count} scans, {failed} failed.").format(count=len(outcome.answer), failed=failed))

    def _report(self, outcome):
        for line in outcome.log:
            self.ui.logText.appendPlainText(line)
        if outcome.cancelled:
            self.say(_("Cancelled."))
        elif outcome.error:
            self.say(outcome.error)


class _Starting:
    """Stands for a task that has not started yet."""

    isDone = True

    def cancel(self):
        """Nothing to stop."""


_STARTING = _Starting()


def _stageInWords(stage):
    return {
        "registration": _("Registering to the FP-CIT template"),
        "quantification": _("Measuring the specific binding ratios"),
        "classification": _("Classifying and explaining"),
    }[stage]


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

    def loadScan(self, path, name=None):
        """Load a file or a DICOM folder with the geometry that nuclear medicine needs; gives the volume node.

        Raises:
            DaTscanError: it is not a usable scan.
        """
        from DaTscanAILib.slicer_adapters.volumes import load_scan

        return load_scan(path, name)

    def loadSample(self, name="reduced"):
        """Load a bundled simulated scan, "reduced" or "normal"; gives the volume node."""
        from DaTscanAILib.slicer_adapters.sample_data import load_sample

        return load_sample(name)

    def flip(self, inputVolume, axis):
        """Correct a header: exchange "S" head and foot, "R" left and right or "A" front and back."""
        from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case
        from DaTscanAILib.slicer_adapters.volumes import flip

        flip(inputVolume, axis)
        case = Case.of(inputVolume)
        if case and case.get(TRANSFORM):  # it was for the other orientation
            slicer.mrmlScene.RemoveNode(case.get(TRANSFORM))

    def process(
        self,
        inputVolume,
        lastStage="classification",
        model=None,
        device="auto",
        method=None,
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
        from DaTscanAILib.slicer_adapters.running import run_scan

        if inputVolume is None:
            raise DaTscanError("No volume was given: select or load a scan.")
        options = {"last_stage": lastStage, "model": model, "device": device, "method": method}
        show = (lambda: self.show(inputVolume)) if showResult else None
        return run_scan(inputVolume, registrationTransform, options, show, waitForCompletion, progress, finished)

    def processBatch(
        self,
        inputs,
        outputFolder,
        model=None,
        device="auto",
        resume=False,
        report=True,
        showResult=True,
        waitForCompletion=True,
        progress=None,
        finished=None,
    ):
        """Analyze many scans and write a folder of results, as the command `analyze` does.

        Args:
            inputs: one or a list of files, folders, CSV manifests or volume nodes.
            outputFolder: of the results.
            model, device, waitForCompletion, finished: as in `process`.
            resume: keep the cases that a former run has finished.
            report: write `report.pdf` for each case.
            showResult: put the table of results into the scene and open it.
            progress: called with `{"case": name, "answer": text, "done": n, "total": m}` after each case.

        Returns:
            The rows of `results.csv`, one dictionary a case.

        Raises:
            DaTscanError: inputs, output folder or model cannot be used; nothing was run.
        """
        from DaTscanAILib.slicer_adapters.running import run_batch

        options = {"model": model, "device": device, "resume": resume, "report": report}
        return run_batch(inputs, outputFolder, options, showResult, waitForCompletion, progress, finished)

    def result(self, inputVolume):
        """What is known of a volume, the content of `result.json`; None before the first analysis."""
        from DaTscanAILib.slicer_adapters.case import Case

        case = Case.of(inputVolume)
        return case.result if case else None

    def show(self, inputVolume, keepPosition=False):
        """Show an analyzed volume in the four views as the parameter node says."""
        from DaTscanAILib.slicer_adapters.case import Case
        from DaTscanAILib.slicer_adapters.display import hide_other_cases, show_in_four_views

        hide_other_cases(inputVolume)
        case = Case.of(inputVolume)
        if case is not None and case.result is not None:
            show_in_four_views(case, self.displaySettings(), keepPosition)
            self.showRegions(inputVolume, self.getParameterNode().showRegions)

    def displaySettings(self, parameters=None):
        """How the parameter node wants cases to be shown."""
        from DaTscanAILib.slicer_adapters.settings import Settings

        parameters = parameters or self.getParameterNode()
        return Settings(
            content=parameters.content.value,
            threshold=parameters.threshold,
            opacity=parameters.opacity,
            signs=parameters.signs.value,
            in_slices=parameters.showInSlices,
            in_3d=parameters.showIn3D,
        )

    def methodOfParameters(self):
        """The SBR method that the parameter node asks for."""
        from DaTscanAILib.quantification.other_method import Method

        parameters = self.getParameterNode()
        nuclei = ("caudate", "putamen", "striatum")
        return Method(
            {nucleus: getattr(parameters, f"{nucleus}Volume") for nucleus in nuclei}, parameters.referencePercentile
        )

    def registrationToKeep(self, inputVolume, keep):
        """The case's transform node if it is to be used again.

        Args:
            keep: "registration", "manual" (only if it was made by hand) or "nothing".
        """
        from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case, is_by_hand

        case = Case.of(inputVolume)
        transform = case.get(TRANSFORM) if case else None
        if transform is None or keep == "nothing":
            return None
        return transform if keep == "registration" or is_by_hand(transform) else None

    def compare(self, inputVolume, way="fused"):
        """Show a registered volume with the FP-CIT template: "fused", "checkerboard" or "side_by_side"."""
        from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case
        from DaTscanAILib.slicer_adapters.comparison import compare

        case = Case.of(inputVolume)
        if case is None or case.get(TRANSFORM) is None:
            raise DaTscanError("The scan is not registered yet: press Register first.")
        compare(case, way)

    def showRegions(self, inputVolume, visible=True):
        """Show or hide the regions of an analyzed volume and their hottest voxels."""
        from DaTscanAILib.slicer_adapters.case import Case
        from DaTscanAILib.slicer_adapters.regions import show_regions

        case = Case.of(inputVolume)
        if case is not None:
            show_regions(case, visible, self.methodOfParameters().hottest_volume_ml)

    def saveReport(self, inputVolume, path):
        """Write the one-page PDF report of an analyzed volume.

        Raises:
            DaTscanError: it has not been measured yet.
        """
        from DaTscanAILib.slicer_adapters.case import Case
        from DaTscanAILib.slicer_adapters.reports import save_report

        save_report(Case.of(inputVolume), path)

    def firstScan(self):
        """The first volume of the scene that is not one of this module's own; None without any."""
        from DaTscanAILib.slicer_adapters.case import is_derived

        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        scans = (volume for volume in volumes if volume.GetClassName() == "vtkMRMLScalarVolumeNode")  # no label maps
        return next((scan for scan in scans if not is_derived(scan)), None)


class DaTscanAITest(ScriptedLoadableModuleTest):
    """Self test: "Reload and Test", and CTest."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_measures_the_sample()
        self.setUp()
        self.test_classifies_the_sample()

    def test_measures_the_sample(self):
        """The simulated sample lacks the right putamen; nothing but Slicer's own packages is needed to see that."""
        logic = DaTscanAILogic()
        result = logic.process(logic.loadSample("reduced"), lastStage="quantification")
        sbr = result["quantification"]["sbr"]
        self.assertTrue(result["registration"]["accepted"])
        self.assertLess(sbr["putamen_right"], 0.75 * sbr["putamen_left"])
        self.assertEqual(result["quantification"]["lower_putamen"], "right")

    def test_classifies_the_sample(self):
        """The whole chain, where PyTorch is installed."""
        from DaTscanAILib.slicer_adapters.installation import has_torch

        if not has_torch():
            self.delayDisplay("PyTorch is not installed: the classification was not tested")
            return
        logic = DaTscanAILogic()
        volume = logic.loadSample("reduced")
        result = logic.process(volume)
        self.assertIsNone(result["error"])
        self.assertEqual(result["classification"]["label"], "reduced")
        self.assertGreater(result["classification"]["probability_reduced"], 0.5)
        self.assertEqual(logic.result(volume), result)
        self.delayDisplay("Test passed")
