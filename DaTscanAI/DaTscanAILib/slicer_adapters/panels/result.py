"""The answer: label with probability, SBRs, registration, explanation, warnings."""

from slicer.i18n import tr as _

from ..case import TABLE
from .panel import Panel


class ResultPanel(Panel):
    """What a person wants to know at a glance."""

    def update(self, result):
        from ...reporting.wording import answer_of, explanation_of, registration_alarm, registration_of, value_of

        table = self.case.get(TABLE) if self.case else None
        self.ui.sbrTableView.visible = table is not None
        if table is not None:
            self.ui.sbrTableView.setMRMLTableNode(table)
            source = value_of(result, "quantification", "normals", "source")
            self.ui.sbrTableView.toolTip = _("Normals: {source}").format(source=source) if source else ""
        if result is None:
            self.ui.answerLabel.text = _("No result yet")
            self.ui.answerDetailLabel.text = self.ui.warningsLabel.text = ""
            return
        answer = answer_of(result)
        self.ui.answerLabel.text = answer.heading
        lines = [answer.meaning]
        if value_of(result, "classification", "label"):
            lines[:0] = [answer.probability]
            lines += [explanation_of(result)]
        lines += [registration_alarm(result) or registration_of(result)]
        self.ui.answerDetailLabel.text = "\n".join(lines)
        warnings = result.get("warnings") or [_("none")]
        self.ui.warningsLabel.text = "\n".join([_("Warnings:"), *(f"- {warning}" for warning in warnings)])
        self.ui.sbrTableView.resizeColumnsToContents()
