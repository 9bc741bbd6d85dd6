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
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.slicer_adapters.file_reader import DaTscanAIFileReader  # noqa: F401 - Slicer looks for it here
from DaTscanAILib.slicer_adapters.logic import DaTscanAILogic

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
            self.views.leave()
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
