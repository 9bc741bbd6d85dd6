"""The registration, its quality, and its correction by hand."""

import numpy as np
from slicer.i18n import tr as _

from ..by_hand import SLIDERS, base_of, distance_from_automatic, judged, move_by, values_of
from ..case import TRANSFORM, automatic_registration
from ..parameters import Comparison
from ..session import is_registered
from .panel import Panel

_GOOD = 0.8  # quality from which a look at the comparison is not asked for


class RegistrationPanel(Panel):
    """Register, compare with the template, adjust."""

    def connect(self):
        self._adjusted = None  # the transform that the sliders move
        self._base = np.eye(4)  # from which their offsets count
        self._sliders = [getattr(self.ui, f"{name}Slider") for name in SLIDERS]
        self.ui.registerButton.connect("clicked()", self.onRegister)
        self.ui.adjustButton.connect("toggled(bool)", self.onAdjust)
        self.ui.resetRegistrationButton.connect("clicked()", self.onReset)
        self._values = np.zeros(len(SLIDERS))
        for index, slider in enumerate(self._sliders):
            slider.connect("valueIsChanging(double)", lambda value, index=index: self.onSliderMoving(index, value))
            slider.connect("valueChanged(double)", lambda value, index=index: self.onSliderMoved(index, value))

    @property
    def transform(self):
        """The case's transform node, or None."""
        return self.case.get(TRANSFORM) if self.case else None

    def onRegister(self):
        """Register anew; the comparison with the template comes up when it is done."""
        self.widget.runs.startScan("registration", keep="nothing")

    def onAdjust(self, active):
        """Let the sliders move the scan, and show what they do."""
        self._adjusted = self.transform if active else None
        self.ui.adjustFrame.visible = self._adjusted is not None
        if self._adjusted is None:
            return
        self._base = base_of(self._adjusted)
        self._showValues()
        if self.parameters.comparison is Comparison.NONE:
            self.parameters.comparison = Comparison.FUSED

    def onSliderMoving(self, index, value):
        """While the mouse is down the scan follows, where that is quick."""
        if self.parameters and self.parameters.comparison is not Comparison.CHECKERBOARD:
            self.onSliderMoved(index, value)

    def onSliderMoved(self, index, value):
        """Take the scan to the place that the sliders say."""
        if self._adjusted is not None:
            self._values[index] = value  # the slider itself still has its former value while it moves
            move_by(self._adjusted, self._base, self._values)

    def onReset(self):
        """Give up the correction by hand."""
        if self.transform is not None and automatic_registration(self.transform):
            move_by(self.transform, base_of(self.transform), np.zeros(len(SLIDERS)))
            self._showValues()

    def _showValues(self):
        """Let the sliders stand where the transform is, without moving it."""
        if self._adjusted is None:
            return
        self._values = values_of(self._adjusted, self._base)
        for slider, value in zip(self._sliders, self._values, strict=True):
            slider.blockSignals(True)
            slider.value = float(value)
            slider.blockSignals(False)

    def update(self, _result, state):
        if self._adjusted is not None and (self.transform is not self._adjusted or not self.widget.runs.isIdle):
            self.ui.adjustButton.checked = False  # another scan was selected, or a run uses the registration
        self.ui.registrationQualityLabel.text = self._quality(state)

    def _quality(self, state):
        """Number and traffic light in words, by hand or not."""
        if self.transform is None:
            return _("not registered yet")
        if not is_registered(self.volume):
            return _("of the scan before it was changed: register again")
        registration = judged(self.volume)
        if not registration.accepted:
            words = _("RED, not accepted: correct the header or adjust by hand")
        elif registration.quality < _GOOD:
            words = _("YELLOW, look at the comparison before you rely on it")
        else:
            words = _("GREEN, good")
        lines = [f"{registration.quality:.2f} - {words}", registration.reason, self._by_hand(registration, state)]
        return "\n".join(filter(None, lines))

    def _by_hand(self, registration, state):
        if not registration.manual:
            return ""
        distance = distance_from_automatic(self.transform)
        words = (
            _("By hand.")
            if distance is None
            else _("By hand, {distance} mm from the automatic one.").format(distance=f"{distance:.1f}")
        )
        is_used = state["quantification"].is_current
        return words if is_used else words + " " + _("Measure or analyze to use it.")

    def enable(self, idle):
        registered = self.volume is not None and is_registered(self.volume)
        self.ui.registerButton.enabled = idle and self.volume is not None
        self.ui.comparisonSelector.enabled = registered
        for button in (self.ui.adjustButton, self.ui.resetRegistrationButton):
            button.enabled = idle and registered
