"""The panel's running task: its button, its progress, and how it ended, each bound to the scan that it was for."""

import qt
import slicer
from slicer.i18n import tr as _

from .case import Case
from .dicom_inputs import holds_dicom
from .inputs import scan_inputs
from .parameters import Comparison, Content
from .processes import SESSION
from .session import registration_to_keep
from .state import STAGES

_FULL_BAR_MS = 1000  # the full bar stays for so long


class Runs:
    """At most one task at a time, of one scan or of a batch.

    Args:
        widget: the module's widget, which owns `ui`, `logic` and the parameter node.
    """

    def __init__(self, widget):
        self.widget, self.ui = widget, widget.ui
        self.sentence = ""  # of the task that runs
        self.isBatch = False
        self._task = None
        self._isStarting = False
        self._messages = {}  # scan's node ID: (its inputs then, sentence)

    @property
    def isIdle(self) -> bool:
        """No task runs."""
        return self._task is None and not self._isStarting

    def message(self, volume) -> str:
        """How the last run of a scan ended without a result, as long as the scan is what it was."""
        inputs, sentence = self._messages.get(volume.GetID() if volume else None, (None, ""))
        return sentence if inputs == _inputs_of(volume) else ""

    def note(self, volume, sentence: str) -> None:
        """Keep a sentence on a scan (or, for None, where no scan is selected) until it changes or is run again."""
        self._messages[volume.GetID() if volume else None] = (_inputs_of(volume), sentence)
        if sentence:
            self.widget.log(sentence)

    def forget(self) -> None:
        """The scene was closed: node IDs will stand for other scans."""
        self._messages.clear()

    def prepare(self) -> None:
        """The module is open: what does the work starts in the background, so that the first scan need not wait."""
        from .installation import has_torch

        if not slicer.app.testingEnabled() and has_torch():
            SESSION.prepare()

    def startScan(self, lastStage: str, keep: str) -> None:
        """Analyze the selected scan up to a stage.

        Args:
            keep: "registration" (if there is one), "manual" (only if it was made by hand) or "nothing".
        """
        from .installation import ensure_torch

        parameters, logic, session = self.widget.parameters, self.widget.logic, self.widget.session
        volume = parameters.inputVolume
        self.note(volume, "")
        with self.widget.errorsSaid(_("The analysis could not be started.")):
            if lastStage == STAGES[-1] and not ensure_torch():
                return
            sentence = _("Analyzing {name}").format(name=volume.GetName())
            self._begin(sentence, self.ui.analyzeButton, STAGES.index(lastStage) + 1)
            self._task = logic.process(
                volume,
                lastStage=lastStage,
                device=parameters.device.value,
                method=session.method(),
                **_named(session),
                registrationTransform=registration_to_keep(volume, keep),
                showResult=False,
                waitForCompletion=False,
                progress=lambda event: self._onStage(event, volume.GetName()),
                finished=lambda outcome: self._onScanFinished(outcome, volume, lastStage),
            )
        self._endUnlessRunning()

    def startComparison(self) -> None:
        """Compare the selected scan with the earlier one of the panel."""
        parameters, volume = self.widget.parameters, self.widget.parameters.inputVolume
        self.note(volume, "")
        with self.widget.errorsSaid(_("The comparison could not be started.")):
            sentence = _("Comparing {name} with the earlier scan").format(name=volume.GetName())
            self._begin(sentence, self.ui.compareScansButton, 0)
            self._task = self.widget.logic.compareScans(
                parameters.priorVolume,
                volume,
                years=parameters.priorYears or None,
                normals=self.widget.session.normals(),
                showResult=False,
                waitForCompletion=False,
                finished=lambda outcome: self._onComparisonFinished(outcome, volume),
            )
        self._endUnlessRunning()

    def startBatch(self) -> None:
        """Analyze many scans."""
        from .installation import ensure_torch

        parameters = self.widget.parameters
        with self.widget.errorsSaid(_("The batch could not be started."), self.sayOfBatch):
            if not ensure_torch():
                return
            self.isBatch = True
            self._begin(_("Looking for scans"), self.ui.runBatchButton, 0)
            self._task = self.widget.logic.processBatch(
                [parameters.batchInput],
                parameters.batchOutput,
                **_named(self.widget.session),
                device=parameters.device.value,
                resume=parameters.batchResume,
                report=parameters.batchReport,
                reportLanguage=self.widget.session.report_language(),
                dicomResults=parameters.batchDicom and holds_dicom(parameters.batchInput),
                waitForCompletion=False,
                progress=self._onCase,
                finished=self._onBatchFinished,
            )
        self._endUnlessRunning()

    def cancel(self) -> None:
        """Stop the running task, if there is one."""
        if self._task is not None:
            self._task.cancel()
            self._say(_("Cancelling..."))

    def abandon(self) -> None:
        """Slicer or the scene closes: nobody waits for the task any more."""
        if self._task is not None:
            self._task.abandon()
            self._end()

    def close(self) -> None:
        """The module goes, and with it the process that was kept."""
        self.abandon()
        SESSION.abandon()

    def sayOfBatch(self, sentence: str) -> None:
        """What a batch says stands in its own section: it belongs to no scan."""
        self.ui.batchStatusLabel.text = sentence
        self.widget.log(sentence)

    def _say(self, sentence):
        self.sentence = sentence
        self.widget.log(sentence)
        self.widget.updateStatus()

    def _begin(self, sentence, button, steps):
        """Progress bar on, the button becomes Cancel, everything else is disabled."""
        self._isStarting = True
        self.ui.progressBar.maximum = steps
        self.ui.progressBar.value = 0
        self.ui.progressBar.visible = True
        self._say(sentence)
        self.ui.analyzeButton.enabled = False
        for panel in self.widget.panels:
            panel.enable(False)
        button.text = _("Cancel")
        button.toolTip = _("Stop now")
        button.enabled = True

    def _endUnlessRunning(self):
        """Back to the idle panel if a task could not be started or has ended already."""
        self._isStarting = False
        if self._task is None or self._task.isDone:
            self._end()

    def _end(self):
        self._task, self._isStarting, self.isBatch, self.sentence = None, False, False, ""
        self.ui.progressBar.value = self.ui.progressBar.maximum
        qt.QTimer.singleShot(_FULL_BAR_MS, self._hideProgress)
        self.widget.refresh()

    def _hideProgress(self):
        if self.isIdle:
            self.ui.progressBar.visible = False

    def _onStage(self, event, name):
        """A stage of a scan begins."""
        words = {
            "registration": _("{name}: registering to the FP-CIT template"),
            "quantification": _("{name}: measuring the specific binding ratios"),
            "classification": _("{name}: classifying and explaining"),
        }
        self.ui.progressBar.value = STAGES.index(event["stage"])
        self._say(words[event["stage"]].format(name=name))

    def _onCase(self, event):
        """A case of a batch has ended."""
        self.ui.progressBar.maximum, self.ui.progressBar.value = event["total"], event["done"]
        if event["case"] is not None:
            self._say("[{done}/{total}] {case}: {answer}".format(**event))

    def _onScanFinished(self, outcome, volume, lastStage):
        """Say how it ended; refreshing the panel shows what it has found."""
        self._logLines(outcome)
        if slicer.mrmlScene.IsNodePresent(volume):
            self.note(volume, _("Cancelled.") if outcome.cancelled else outcome.error or "")
        if outcome.answer is not None:
            # In the scene's parameter node, as another module may be open now.
            comparison = Comparison.FUSED if lastStage == STAGES[0] else Comparison.NONE
            self.widget.logic.getParameterNode().comparison = comparison
        self._end()

    def _onComparisonFinished(self, outcome, volume):
        """Say how it ended; the views show the change."""
        self._logLines(outcome)
        if slicer.mrmlScene.IsNodePresent(volume):
            self.note(volume, _("Cancelled.") if outcome.cancelled else outcome.error or "")
        if outcome.answer is not None:
            self.widget.logic.getParameterNode().content = Content.CHANGE
        self._end()

    def _onBatchFinished(self, outcome):
        self._logLines(outcome)
        if outcome.cancelled:
            self.sayOfBatch(_("Cancelled."))
        elif outcome.error:
            self.sayOfBatch(outcome.error)
        else:
            rows = outcome.answer.rows
            failed = sum(bool(row["error"]) for row in rows)
            self.sayOfBatch(_("{count} scans, {failed} failed.").format(count=len(rows), failed=failed))
        self._end()

    def _logLines(self, outcome):
        for line in outcome.log:
            self.widget.log(line)


def _named(session):
    """Arguments of `process` and `processBatch` that are names or places."""
    return {
        "model": session.model(),
        "normals": session.normals(),
        "secondReader": session.second_reader(),
        "mapMethod": session.map_method(),
    }


def _inputs_of(volume):
    return scan_inputs(volume, Case.of(volume)) if volume else None
