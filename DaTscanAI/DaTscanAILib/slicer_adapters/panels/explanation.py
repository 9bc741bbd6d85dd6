"""Section 5: how the relevance is shown."""

from slicer.i18n import tr as _

from .panel import Panel


class ExplanationPanel(Panel):
    """The sliders and choices are bound to the parameter node; here is what they mean for the views."""

    def connect(self):
        self.ui.showViewsButton.connect("clicked()", self.onShowViews)

    def onShowViews(self):
        """Back to the four views."""
        self.widget.showCase()

    def update(self, result):
        from ...reporting.wording import explanation_of, value_of

        explained = value_of(result, "explanation", "ipsilateral_putamen_relevance") is not None
        self.ui.explanationLabel.text = explanation_of(result) if explained else _("not classified yet")

    def enable(self, idle):
        self.ui.showViewsButton.enabled = idle and self.case is not None
