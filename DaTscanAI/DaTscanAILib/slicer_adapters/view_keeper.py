"""Keeps the views to what the panel says: another scan, setting, comparison or a result that no longer holds."""

import slicer

from ..base.errors import DaTscanError
from .case import PRIOR, TRANSFORM, Case
from .display import is_scan_current
from .legend import update_legends
from .parameters import Comparison
from .prior_scan import change_volume
from .side_letters import restore_side_letters, update_side_letters


class ViewKeeper:
    """Observes what the selected scan's results depend on, and shows what has changed.

    Args:
        widget: the module's widget.
    """

    def __init__(self, widget):
        self.widget = widget
        self._observed = []
        self._shown = None  # None: as the scene or somebody else has left the views

    def forget(self) -> None:
        """The scene has gone or come, with its views as they are."""
        self.leave()
        self._shown = None

    def leave(self) -> None:
        """The panel is closed: what the views show is no longer watched."""
        self.observe(None)
        restore_side_letters()

    def observe(self, volume) -> None:
        """Let the panel know at once when voxels, header or a transform of a volume change, or what a view shows."""
        wanted = self._events(volume) if volume else []
        if [(node.GetID(), event) for node, event, _ in wanted] == [
            (name, event) for _, name, event, _ in self._observed
        ]:
            return
        for node, _name, event, slot in self._observed:
            self.widget.removeObserver(node, event, slot)
        self._observed = [(node, node.GetID(), event, slot) for node, event, slot in wanted]
        for node, _name, event, slot in self._observed:
            self.widget.addObserver(node, event, slot)

    def _events(self, volume):
        """`(node, event, slot)` of all that a volume's results and the legend depend on."""
        changed, transformed = self.widget.onInputModified, slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        modified = "ModifiedEvent"
        case = Case.of(volume)
        transform = case.get(TRANSFORM) if case else None
        prior = case.get(PRIOR) if case else None
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        return [
            (volume, modified, changed),
            (volume, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, changed),
            (volume, transformed, changed),
            *([(case.node, modified, changed)] if case else []),
            *([(transform, transformed, changed)] if transform else []),
            *([(prior, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, changed)] if prior else []),
            *([(prior, transformed, changed)] if prior else []),
            *((composite, modified, self.onLayersModified) for composite in composites),
        ]

    def onLayersModified(self, _caller=None, _event=None):
        """Somebody shows another volume: the legend goes with the map, the letters of the sides with the scan."""
        update_legends()
        update_side_letters()

    def update(self, volume, state) -> None:
        """Show what has changed since the last time; slices stay where they are if only colors have."""
        parameters = self.widget.parameters
        registered = state["registration"].is_current or state["registration"].reason == "transform"
        holds = (is_scan_current(state), state["classification"].is_current)
        place = (
            volume and volume.GetID(),
            parameters.comparison,
            registered if parameters.comparison is not Comparison.NONE else holds,
            self._result_identity(volume),
        )
        has_change = volume is not None and change_volume(Case.of(volume)) is not None
        looks = (parameters.showRegions, self.widget.session.settings(), self._transform_of_board(volume), has_change)
        before, self._shown = self._shown, (place, looks)
        if before is not None and before != self._shown:
            self._show(volume, keep_position=before[0] == place)
        update_side_letters()

    def show(self) -> None:
        """Show everything again: the layout may be another, and the slices may be elsewhere."""
        self._show(self.widget.parameters.inputVolume, keep_position=False)

    def _show(self, volume, keep_position):
        comparison = self.widget.parameters.comparison
        if comparison is Comparison.NONE or volume is None:
            self.widget.session.show(volume, keep_position)
            return
        try:
            self.widget.session.compare(volume, comparison.value, keep_position)
        except DaTscanError:  # the scan has changed
            self.widget.parameters.comparison = Comparison.NONE
            self.widget.session.show(volume, keep_position=False)

    def _result_identity(self, volume):
        case = Case.of(volume)
        text = case.node.GetText() if case else ""
        return hash(text) if text else None

    def _transform_of_board(self, volume):
        """A checkerboard is made anew when the registration moves; other comparisons follow it by themselves."""
        if self.widget.parameters.comparison is not Comparison.CHECKERBOARD or volume is None:
            return None
        case = Case.of(volume)
        transform = case.get(TRANSFORM) if case else None
        return transform and tuple(slicer.util.arrayFromTransformMatrix(transform).ravel())
