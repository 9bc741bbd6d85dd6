"""Specific binding ratios."""

from slicer.i18n import tr as _

from .panel import Panel


class QuantificationPanel(Panel):
    """Measure, show the regions, change the method."""

    def connect(self):
        self.ui.quantifyButton.connect("clicked()", self.onQuantify)
        self.ui.defaultMethodButton.connect("clicked()", self.onDefaultMethod)
        self.keepPath(self.ui.normalsEdit, "normals")

    def onQuantify(self):
        """Measure with the registration that there is."""
        self.widget.runs.startScan("quantification", keep="registration")

    def onDefaultMethod(self):
        """Back to the volumes and the percentile of the default method."""
        from ...quantification.hottest_voxels import HOTTEST_VOLUME_ML
        from ...quantification.scaling import REFERENCE_PERCENTILE

        for nucleus, volume in HOTTEST_VOLUME_ML.items():
            setattr(self.parameters, f"{nucleus}Volume", volume)
        self.parameters.referencePercentile = REFERENCE_PERCENTILE

    def update(self, result, state):
        from ...reporting.numbers import normals_note
        from ...reporting.wording import value_of

        self.showPaths()
        self.ui.normalsLabel.text = (normals_note(result) if result else "") or ""
        self.ui.normalsLabel.visible = bool(self.ui.normalsLabel.text)
        side = value_of(result, "quantification", "lower_putamen")
        if side is None:
            self.ui.lowerSideLabel.text = _("not measured yet")
            return
        self.ui.lowerSideLabel.text = {"left": _("left"), "right": _("right")}[side]
        self.ui.lowerSideLabel.enabled = not state["quantification"].is_outdated

    def enable(self, idle):
        self.ui.quantifyButton.enabled = idle and self.volume is not None
