"""DaTscan AI: SBR, a network's answer and why, from one dopamine-transporter SPECT scan."""

import contextlib
import logging
import sys
from pathlib import Path

import qt
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
from DaTscanAILib.slicer_adapters.file_reader import DaTscanAIFileReader  # noqa: F401 - Slicer looks for it here
from DaTscanAILib.slicer_adapters.parameters import DaTscanAIParameterNode

_MOST_PASSES = 3  # of a refresh whose showing changes what is to be shown


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
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """Sample data, application settings, and nothing left of a crash."""
    from DaTscanAILib.slicer_adapters.application_settings import add_settings_panel
    from DaTscanAILib.slicer_adapters.leftovers import remove_leftovers
    from DaTscanAILib.slicer_adapters.sample_data import register_samples

    remove_leftovers()
    register_samples(Path(__file__).parent / "Resources" / "Icons")
    add_settings_panel()


class DaTscanAIWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: its sections are in `slicer_adapters/panels`; here is what ties them to the scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parameters = None
        self.panels = []
        self.runs = None
        self.views = None
        self._guiTag = None
        self._shortcuts = []
        self._isRefreshing = self._isStale = False

    def setup(self):
        """Load the panel and connect it."""
        ScriptedLoadableModuleWidget.setup(self)
        from DaTscanAILib.slicer_adapters.panels.all import PANELS
        from DaTscanAILib.slicer_adapters.runs import Runs
        from DaTscanAILib.slicer_adapters.view_keeper import ViewKeeper

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DaTscanAI.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DaTscanAILogic()
        self.runs, self.views = Runs(self), ViewKeeper(self)
        self.panels = [panel(self) for panel in PANELS]
        self.ui.analyzeButton.connect("clicked()", self.onAnalyzeButton)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):  # of the letters and of the numbers
            shortcut = qt.QShortcut(qt.QKeySequence(keys), uiWidget)
            shortcut.connect("activated()", self.onAnalyzeKeys)
            self._shortcuts.append(shortcut)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.initializeParameterNode()

    def onReload(self):
        """Read the library anew too, when a developer reloads the module."""
        for name in [name for name in sys.modules if name == "DaTscanAILib" or name.startswith("DaTscanAILib.")]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def cleanup(self):
        """Slicer closes, or the module is reloaded."""
        self.runs.close()
        self.setParameterNode(None)
        self.views.forget()
        self.removeObservers()

    def enter(self):
        """The user opens the module."""
        self.initializeParameterNode()
        self.runs.prepare()

    def exit(self):
        """The user opens another module: do not react to its changes."""
        self.setParameterNode(None)

    def onSceneStartClose(self, _caller=None, _event=None):
        """The nodes are about to go."""
        self.runs.abandon()
        self.runs.forget()
        self.views.forget()
        self.setParameterNode(None)

    def onSceneEndClose(self, _caller=None, _event=None):
        """Go on with an empty scene if the module is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, _caller=None, _event=None):
        """A saved scene brings its scans, results, settings and views."""
        self.views.forget()
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, _caller, _event, node):
        """Whatever loads a scan while the module is open, the scan is selected; volumes without voxels are none."""
        isVolume = node.GetClassName() == "vtkMRMLScalarVolumeNode"
        if self.parameters is None or not isVolume or slicer.mrmlScene.IsImporting():
            return
        if node.GetImageData() is not None:
            self.parameters.inputVolume = node
        self.refresh()  # the selector has to know which volumes are no scans

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller, _event, node):
        """What belonged to a scan goes with it."""
        from DaTscanAILib.slicer_adapters.case import remove_orphans

        scene = slicer.mrmlScene
        if node.GetClassName() != "vtkMRMLScalarVolumeNode" or scene.IsClosing() or scene.IsImporting():
            return
        remove_orphans()
        self.refresh()

    def initializeParameterNode(self):
        """Observe the scene's parameter node; select a scan if there is one and none is selected."""
        from DaTscanAILib.slicer_adapters.session import first_scan, is_scan

        parameters = self.logic.getParameterNode()
        if not is_scan(parameters.inputVolume):
            parameters.inputVolume = first_scan()
        self.setParameterNode(parameters)

    def setParameterNode(self, parameters):
        """Bind the panel to a parameter node, or to none."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.parameters = parameters
        if parameters is None:
            self.views.observe(None)
            return
        for panel in self.panels:
            panel.bind()
        self._guiTag = parameters.connectGui(self.ui)
        self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.refresh()

    @property
    def session(self):
        """The scans of the scene under what the panel chooses."""
        from DaTscanAILib.slicer_adapters.session import Session

        return Session(self.parameters)

    def onParametersModified(self, _caller=None, _event=None):
        """Show what has changed: another scan in the panel, other settings in the views."""
        self.refresh()

    def onInputModified(self, _caller=None, _event=None):
        """Voxels, header or a transform of the selected scan have changed: its results may be outdated now."""
        self.refresh()

    def refresh(self):
        """Show what is known of the selected scan, and whether it still holds, in all sections and in the views."""
        if self.parameters is None or slicer.mrmlScene.IsImporting():
            return
        self._isStale = True
        if self._isRefreshing:  # what is shown has changed what is to be shown
            return
        self._isRefreshing = True
        try:
            for _pass in range(_MOST_PASSES):
                if self._isStale:
                    self._isStale = False
                    self._refreshOnce(self.parameters.inputVolume)
        finally:
            self._isRefreshing = False

    def _refreshOnce(self, volume):
        self.views.observe(volume)
        self.session.take_chosen_map(volume)
        result, state = self.session.known(volume)
        for panel in self.panels:
            panel.update(result, state)
            panel.enable(self.runs.isIdle)
        if self.runs.isIdle:
            self._showAnalyzeButton(volume)
        with self.errorsSaid(_("The scan could not be shown.")):
            self.views.update(volume, state)
        self.updateStatus()

    def _showAnalyzeButton(self, volume):
        self.ui.analyzeButton.text = _("Analyze")
        self.ui.analyzeButton.enabled = volume is not None
        self.ui.analyzeButton.toolTip = (
            _("Select or load a scan.")
            if volume is None
            else _("Register, measure, classify and explain (Ctrl+Enter).")
        )

    def updateStatus(self):
        """One sentence below the button, on the task that runs or else on the selected scan."""
        from DaTscanAILib.slicer_adapters.status import status_sentence

        if self.runs.sentence:
            self.ui.statusLabel.text = self.runs.sentence
        elif self.parameters is not None:
            volume = self.parameters.inputVolume
            name = volume.GetName() if volume else None
            self.ui.statusLabel.text = status_sentence(name, *self.session.known(volume), self.runs.message(volume))

    def say(self, sentence):
        """Say something of the selected scan, until it changes."""
        self.runs.note(self.parameters.inputVolume if self.parameters else None, sentence)
        self.updateStatus()

    def log(self, line):
        """Keep a line in the log."""
        self.ui.logText.appendPlainText(line)

    @contextlib.contextmanager
    def errorsSaid(self, title, say=None):
        """Bad input is said in the panel; anything else is a defect and gets Slicer's message box."""
        say = say or self.say
        try:
            yield
        except DaTscanError as error:
            say(str(error))
        except OSError as error:
            say(f"{title} {error.strerror or error}")
        except Exception as error:
            logging.exception("DaTscanAI")
            say(f"{title} {error}")
            slicer.util.errorDisplay(f"{title}\n\n{error}")

    def onAnalyzeButton(self):
        """Run the whole chain, or cancel."""
        if self.runs.isIdle:
            self.runs.startScan("classification", keep="manual")
        else:
            self.runs.cancel()

    def onAnalyzeKeys(self):
        """As the button, which may be disabled; the keys never cancel."""
        if self.runs.isIdle and self.ui.analyzeButton.enabled:
            self.onAnalyzeButton()


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
        from DaTscanAILib.slicer_adapters.session import Session

        return Session(self.getParameterNode())

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
        from DaTscanAILib.slicer_adapters.volumes import flip

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
        from DaTscanAILib.slicer_adapters.running import run_scan

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
        from DaTscanAILib.slicer_adapters.parameters import Content
        from DaTscanAILib.slicer_adapters.running import run_comparison

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
        from DaTscanAILib.slicer_adapters.case import Case
        from DaTscanAILib.slicer_adapters.prior_scan import save_comparison

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
        from DaTscanAILib.slicer_adapters.running import run_batch

        options = {"model": model, "normals": normals, "second_reader": secondReader, "device": device}
        options |= {"resume": resume, "report": report, "dicom_results": dicomResults, "map_method": mapMethod}
        options |= {"report_language": reportLanguage} if reportLanguage else {}
        get_session = (lambda: self.session) if showResult else None
        return run_batch(inputs, outputFolder, options, get_session, waitForCompletion, progress, finished)

    def result(self, inputVolume):
        """What is known of a volume, the content of `result.json`; None before the first analysis.

        Where voxels, header or transform have changed since, `outdated` says by stage why its part no longer holds.
        """
        from DaTscanAILib.slicer_adapters.case import Case
        from DaTscanAILib.slicer_adapters.inputs import state_for
        from DaTscanAILib.slicer_adapters.words import outdated_sentence

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
        from DaTscanAILib.slicer_adapters.case import Case
        from DaTscanAILib.slicer_adapters.inputs import state_for
        from DaTscanAILib.slicer_adapters.reports import save_report

        session = self.session
        chosen = language or session.report_language()
        save_report(Case.of(inputVolume), state_for(inputVolume), path, chosen, session.normals(), clinical)


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
