"""The answer: in words first, then the table, then the numbers behind them; gray where it no longer holds."""

import qt
from slicer.i18n import tr as _

from ..case import GRADES, TABLE
from ..dicom_results import dicom_problem
from ..reports import report_problem
from ..words import answer_heading, answer_sentences, details, outdated_sentence, registration_sentence
from .panel import Panel

_NARROWEST_COLUMN = 30  # pixels; the table view's own 60 would need more than the panel has
_NO_ANSWER = "No answer is given; the error says why."  # the heading and the sentence below it say so


class ResultPanel(Panel):
    """What a person wants to know at a glance."""

    def connect(self):
        self.ui.reportButton.connect("clicked()", self.onReport)
        self.ui.dicomResultsButton.connect("clicked()", self.onDicomResults)
        self.ui.reportLanguageSelector.connect("currentIndexChanged(int)", self.onLanguageChosen)
        self._state, self._languages = None, ()
        self.fillLanguages()

    def fillLanguages(self):
        """List the languages that there are, the default first."""
        from ...reporting.language import Language, language_names

        self._languages = language_names()
        selector = self.ui.reportLanguageSelector
        selector.blockSignals(True)
        selector.clear()
        for name in self._languages:
            selector.addItem(Language(name).title)
        selector.blockSignals(False)

    def onLanguageChosen(self, index):
        """Keep the language with the scene."""
        if self.parameters is not None and 0 <= index < len(self._languages):
            self.parameters.reportLanguage = self._languages[index]

    def onReport(self):
        """Ask for a file and write the report."""
        path = self.askForPdf(_("Save the report"))
        if path:
            with self.widget.errorsSaid(_("The report could not be written.")):
                self.widget.logic.saveReport(self.volume, path)
                self.widget.log(_("The report was written."))

    def onDicomResults(self):
        """Ask for a folder and write the DICOM results."""
        title = _("Folder for the DICOM results, which hold the patient's name and numbers")
        folder = qt.QFileDialog.getExistingDirectory(self.widget.parent, title)
        if folder:
            with self.widget.errorsSaid(_("The DICOM results could not be written.")):
                self.widget.logic.saveDicomResults(self.volume, folder)
                self.widget.log(_("The DICOM results were written."))

    def update(self, result, state):
        self._state = state
        self.ui.answerLabel.text = answer_heading(result, state)
        self.ui.answerLabel.enabled = self.ui.answerDetailLabel.enabled = not state["classification"].is_outdated
        self.ui.answerDetailLabel.text = "\n".join(self._sentences(result, state)) if result else ""
        self.ui.answerDetailLabel.visible = bool(self.ui.answerDetailLabel.text)
        self._showOutdated(state)
        self._showTable(result, state)
        self._showGrades(result, state)
        self._showLanguage()
        self._showWarnings(result, state)
        self.ui.detailsLabel.text = "\n".join(details(result)) if result else ""
        self.ui.detailsLabel.enabled = not state.is_outdated
        self.ui.detailsCollapsibleButton.visible = result is not None

    def _sentences(self, result, state):
        """Those of stages that have run; an error of other inputs is no news of these."""
        error_holds = result.get("error") is None or not state.is_outdated
        sentences = answer_sentences(result) if error_holds else []
        return [line for line in (*sentences, registration_sentence(result)) if line]

    def _showOutdated(self, state):
        """Why, once: the reason of the last stage is that of all that follow from the same change."""
        stages = {
            "classification": _("The answer {reason}."),
            "quantification": _("The SBRs: {reason}."),
            "registration": _("The registration {reason}."),
        }
        lines, said = [], set()
        for stage, words in stages.items():
            if state[stage].is_outdated and state[stage].reason not in said:
                said.add(state[stage].reason)
                lines.append(words.format(reason=outdated_sentence(state[stage].reason)))
        self.ui.outdatedLabel.text = "\n".join(lines)
        self.ui.outdatedLabel.visible = bool(lines)

    def _showTable(self, result, state):
        table = self.case.get(TABLE) if self.case else None
        measured = table is not None and bool(result) and bool(result.get("quantification"))
        self.ui.sbrTableView.visible = measured
        if not measured:
            return
        self.ui.sbrTableView.enabled = not state["quantification"].is_outdated
        self.ui.sbrTableView.setMRMLTableNode(table)
        header = self.ui.sbrTableView.horizontalHeader()
        header.setMinimumSectionSize(_NARROWEST_COLUMN)
        header.setSectionResizeMode(qt.QHeaderView.Stretch)

    def _showGrades(self, result, state):
        """The table of grades, where the model gives them."""
        table = self.case.get(GRADES) if self.case else None
        graded = table is not None and bool(result) and bool((result.get("quantification") or {}).get("grades"))
        self.ui.gradesTableView.visible = graded
        if not graded:
            return
        self.ui.gradesTableView.enabled = not state["classification"].is_outdated
        self.ui.gradesTableView.setMRMLTableNode(table)
        header = self.ui.gradesTableView.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        header.setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)

    def _showLanguage(self):
        """The parameter node's language, or that of the application settings."""
        name = (self.widget.session.report_language() if self.parameters else None) or self._languages[0]
        selector = self.ui.reportLanguageSelector
        selector.blockSignals(True)
        selector.currentIndex = self._languages.index(name) if name in self._languages else 0
        selector.blockSignals(False)

    def _showWarnings(self, result, state):
        """None at all take no line; those that the answer's error repeats are left out."""
        warnings = (result or {}).get("warnings") or []
        error = (result or {}).get("error") or ""
        said = f"{error}\n{self.ui.answerDetailLabel.text}\n{_NO_ANSWER}"
        lines = [warning for warning in warnings if warning not in said]
        self.ui.warningsLabel.text = "\n".join(lines)
        self.ui.warningsLabel.enabled = not state.is_outdated
        self.ui.warningsLabel.visible = bool(lines)

    def enable(self, idle):
        problem = report_problem(self.case, self._state) if self._state else None
        self.ui.reportButton.enabled = idle and problem is None
        self.ui.reportButton.toolTip = problem or _("One page with answer, numbers and pictures.")
        if self._state:
            problem = dicom_problem(self.volume, self.case, self._state)
        self.ui.dicomResultsButton.enabled = idle and self._state is not None and problem is None
        self.ui.dicomResultsButton.toolTip = problem or _(
            "Write report, pictures and page as DICOM, with the patient's name and numbers."
        )
