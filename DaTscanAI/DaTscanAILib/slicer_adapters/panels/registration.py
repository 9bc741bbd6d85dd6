"""Section 2: the registration, its quality, and its correction by hand."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..case import TRANSFORM, automatic_registration, is_by_hand, registration_of, set_scanner_from_mni
from .panel import Panel

_GOOD = 0.8  # quality from which a look at the comparison is not asked for


class RegistrationPanel(Panel):
    """Register, compare with the template, adjust."""

    def connect(self):
        self._adjusted = None  # the transform that the sliders move
        self.ui.registerButton.connect("clicked()", self.onRegister)
        self.ui.compareButton.connect("clicked()", self.onCompare)
        self.ui.adjustButton.connect("toggled(bool)", self.onAdjust)
        self.ui.resetRegistrationButton.connect("clicked()", self.onReset)

    @property
    def transform(self):
        """The case's transform node, or None."""
        return self.case.get(TRANSFORM) if self.case else None

    def onRegister(self):
        """Register anew."""
        self.ui.adjustButton.checked = False
        self.widget.run("registration", keep="nothing")

    def onCompare(self):
        """Show scan and template as chosen."""
        with self.widget.errorsSaid(_("The comparison could not be shown.")):
            self.widget.logic.compare(self.volume, self.parameters.comparison.value)

    def onAdjust(self, active):
        """Give the sliders the case's transform, and show what they do."""
        self._bind(self.transform if active else None)
        if self._adjusted is not None:
            with self.widget.errorsSaid(_("The comparison could not be shown.")):
                self.widget.logic.compare(self.volume, "fused")  # the one that follows the sliders

    def onReset(self):
        """Give up the correction by hand."""
        automatic = automatic_registration(self.transform)
        if automatic:
            adjusted = self._adjusted
            self._bind(None)  # the sliders go back to zero when they are bound, and would move the transform before
            set_scanner_from_mni(self.transform, np.array(automatic["scanner_from_mni_ras"]))
            self._bind(adjusted)
            self.update(self.case.result)

    def _bind(self, transform):
        """Let the sliders move a transform; None for none, which disables them."""
        event = slicer.vtkMRMLTransformNode.TransformModifiedEvent
        if self._adjusted is not None:
            self.widget.removeObserver(self._adjusted, event, self.onTransformModified)
        self._adjusted = transform
        for sliders in (self.ui.translationSliders, self.ui.rotationSliders):
            sliders.setMRMLTransformNode(transform)
        if transform is not None:
            self.widget.addObserver(transform, event, self.onTransformModified)

    def onTransformModified(self, _caller=None, _event=None):
        """Say that the registration is by hand now."""
        self.ui.registrationQualityLabel.text = self._quality()

    def update(self, _result):
        if self.transform is None or self.transform is not self._adjusted:  # another scan was selected
            self.ui.adjustButton.checked = False
        self.ui.registrationQualityLabel.text = self._quality()

    def _quality(self):
        """Number and traffic light in words."""
        from ...reporting.wording import value_of

        if self.transform is None:
            return _("not registered yet")
        registration = registration_of(self.transform)
        if is_by_hand(self.transform):
            used = value_of(self.case.result, "registration", "scanner_from_mni_ras")
            if used is not None and np.allclose(used, registration, atol=1e-4):
                return _("corrected by hand")
            return _("corrected by hand: measure or classify again to use it")
        if not registration.accepted:
            words = _("RED, not accepted: correct the header or adjust by hand")
        elif registration.quality < _GOOD:
            words = _("YELLOW, look at the comparison before you rely on it")
        else:
            words = _("GREEN, good")
        return f"{registration.quality:.2f} - {words}"

    def enable(self, idle):
        registered = self.transform is not None
        self.ui.registerButton.enabled = idle and self.volume is not None
        for button in (self.ui.compareButton, self.ui.adjustButton, self.ui.resetRegistrationButton):
            button.enabled = idle and registered
