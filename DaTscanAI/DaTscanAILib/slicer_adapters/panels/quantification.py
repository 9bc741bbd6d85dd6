"""Section 3: specific binding ratios."""

from slicer.i18n import tr as _

from .panel import Panel


class QuantificationPanel(Panel):
    """Measure, show the regions, change the method."""

    def connect(self):
        self.ui.quantifyButton.connect("clicked()", self.onQuantify)
        self.ui.defaultMethodButton.connect("clicked()", self.onDefaultMethod)

    def onQuantify(self):
        """Measure with the registration that there is."""
        self.widget.run("quantification", keep="registration")

    def onDefaultMethod(self):
        """Back to the usual volumes and percentile."""
        from ...quantification.hottest_voxels import HOTTEST_VOLUME_ML
        from ...quantification.scaling import REFERENCE_PERCENTILE

        for nucleus, volume in HOTTEST_VOLUME_ML.items():
            setattr(self.parameters, f"{nucleus}Volume", volume)
        self.parameters.referencePercentile = REFERENCE_PERCENTILE

    def update(self, result):
        from ...reporting.wording import number, value_of

        if value_of(result, "quantification", "reference_level") is None:
            self.ui.asymmetryLabel.text = _("not measured yet")
            return
        lines = []
        for nucleus, title in (("putamen", _("Putamen")), ("caudate", _("Caudate"))):
            percent = number(value_of(result, "quantification", "asymmetry_percent", nucleus), 1)
            lines.append(_("{nucleus} asymmetry: {percent} %").format(nucleus=title, percent=percent))
        side = {"left": _("left"), "right": _("right")}.get(value_of(result, "quantification", "lower_putamen"))
        lines.append(_("Lower putamen: {side}").format(side=side))
        source = value_of(result, "quantification", "normals", "source")
        if source:
            lines.append(_("Normals: {source}").format(source=source))
        self.ui.asymmetryLabel.text = "\n".join(lines)

    def enable(self, idle):
        self.ui.quantifyButton.enabled = idle and self.volume is not None
