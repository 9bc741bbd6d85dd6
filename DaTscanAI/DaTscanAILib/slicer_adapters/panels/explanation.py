"""The map that explains the answer: how it is shown."""

from .panel import Panel


class ExplanationPanel(Panel):
    """The sliders and choices are bound to the parameter node; here is what they mean for the views."""

    def connect(self):
        self.ui.showViewsButton.connect("clicked()", self.onShowViews)

    def onShowViews(self):
        """Back to the four views with the result."""
        from ..parameters import Comparison

        self.parameters.comparison = Comparison.NONE
        self.widget.views.show()

    def update(self, _result, state):
        explained = state["classification"].is_current
        for widget in (
            self.ui.thresholdSlider,
            self.ui.opacitySlider,
            self.ui.signsSelector,
            self.ui.showInSlicesCheckBox,
            self.ui.showIn3DCheckBox,
        ):
            widget.enabled = explained

    def enable(self, idle):
        self.ui.showViewsButton.enabled = idle and self.volume is not None
        self.ui.mapSelector.enabled = idle
