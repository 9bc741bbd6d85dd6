"""The patient's earlier scan: what has changed since, and by how much a repeated measurement would differ."""

import qt
from slicer.i18n import tr as _

from ..case import CHANGE_TABLE
from ..prior_scan import known_comparison
from .panel import Panel
from .scan import offer_scans_only

_NARROWEST_COLUMN = 30  # pixels


class PriorScanPanel(Panel):
    """Choose the earlier scan, compare, show the change of each region."""

    def connect(self):
        self.ui.compareScansButton.connect("clicked()", self.onCompare)
        self.ui.comparisonReportButton.connect("clicked()", self.onReport)
        self._holds = False

    def onCompare(self):
        """Start the comparison, or cancel it."""
        if self.widget.runs.isIdle:
            self.widget.runs.startComparison()
        else:
            self.widget.runs.cancel()

    def onReport(self):
        """Ask for a file and write the page."""
        path = self.askForPdf(_("Save the comparison"), "_comparison")
        if path:
            with self.widget.errorsSaid(_("The comparison could not be written.")):
                self.widget.logic.saveComparison(self.volume, path)
                self.widget.log(_("The comparison was written."))

    def bind(self):
        offer_scans_only(self.ui.priorSelector)

    def update(self, _result, _state):
        offer_scans_only(self.ui.priorSelector)
        comparison, state = known_comparison(self.case)
        self._holds = comparison is not None and state.is_current
        self.ui.changeLabel.text = "\n".join(_sentences(comparison, state)) if comparison else ""
        self.ui.changeLabel.visible = comparison is not None
        self.ui.changeLabel.enabled = self._holds
        table = self.case.get(CHANGE_TABLE) if comparison else None
        self.ui.changeTableView.visible = table is not None
        if table is not None:
            self.ui.changeTableView.enabled = self._holds
            self.ui.changeTableView.setMRMLTableNode(table)
            header = self.ui.changeTableView.horizontalHeader()
            header.setMinimumSectionSize(_NARROWEST_COLUMN)
            header.setSectionResizeMode(qt.QHeaderView.Stretch)

    def enable(self, idle):
        prior = self.parameters.priorVolume if self.parameters else None
        ready = self.volume is not None and prior is not None and prior is not self.volume
        if idle:
            self.ui.compareScansButton.text = _("Compare")
            self.ui.compareScansButton.enabled = ready
            advice = _("Measure both scans and show what has changed.")
            self.ui.compareScansButton.toolTip = advice if ready else _("Choose the patient's earlier scan.")
        elif self.ui.compareScansButton.text == _("Compare"):
            self.ui.compareScansButton.enabled = False
        self.ui.comparisonReportButton.enabled = idle and self._holds


def _sentences(comparison, state):
    """What was compared, whether it still holds, and what the reader must know."""
    if state.is_outdated:
        yield _("A scan, its registration or its results have changed since: compare again.")
    years = comparison["years"]
    apart = _("time between not known") if years is None else _("{years} years apart").format(years=f"{years:.1f}")
    yield f"{comparison['case']} ({apart})"
    yield _("Orange: less binding than before. Blue: more.")
    yield from comparison["warnings"]
