"""The scans of a scene under what its parameter node chooses; the panel and the console ask here."""

import slicer

from ..base.errors import DaTscanError
from ..explanation.methods import DEFAULT_METHOD
from .application_settings import DEFAULT_MODEL, NORMALS, REPORT_LANGUAGE, setting
from .case import TRANSFORM, Case, is_by_hand, is_derived
from .comparison import compare
from .display import hide_other_cases, is_scan_current, show_in_four_views, show_nothing
from .inputs import chosen_inputs, state_for
from .maps import take_map
from .parameters import Comparison, Map
from .regions import show_regions
from .settings import Settings
from .state import ScanState

_NUCLEI = ("caudate", "putamen", "striatum")


class Session:
    """What is chosen, and what is known under these choices.

    Args:
        parameters: the scene's parameter node, typed.
    """

    def __init__(self, parameters):
        self.parameters = parameters

    def method(self):
        """The SBR method that is asked for."""
        from ..quantification.other_method import Method

        volumes = {nucleus: getattr(self.parameters, f"{nucleus}Volume") for nucleus in _NUCLEI}
        return Method(volumes, self.parameters.referencePercentile)

    def model(self) -> str | None:
        """Name or folder of the model that is asked for; None for the shipped default."""
        return self.parameters.model or setting(DEFAULT_MODEL) or None

    def normals(self) -> str | None:
        """The database of normals that is asked for; None for no z scores."""
        return self.parameters.normals or setting(NORMALS) or None

    def second_reader(self) -> str | None:
        """Folder of the second reader's model; None for none."""
        return self.parameters.secondReader or None

    def report_language(self) -> str | None:
        """Name of the report's language; None for English."""
        return self.parameters.reportLanguage or setting(REPORT_LANGUAGE) or None

    def map_method(self) -> str:
        """The map that is asked for, of `explanation.methods.METHODS`."""
        return self.parameters.mapMethod.value

    def choices(self) -> dict:
        """All that is chosen for an analysis, as arguments of a request."""
        return {
            "method": self.method(),
            "model": self.model(),
            "normals": self.normals(),
            "second_reader": self.second_reader(),
            "map_method": self.map_method(),
        }

    def settings(self) -> Settings:
        """How cases are to be shown."""
        return Settings(
            content=self.parameters.content.value,
            threshold=self.parameters.threshold,
            opacity=self.parameters.opacity,
            signs=self.parameters.signs.value,
            in_slices=self.parameters.showInSlices,
            in_3d=self.parameters.showIn3D,
        )

    def take_chosen_map(self, volume) -> None:
        """Show and describe the map that is chosen, where the analysis of a volume has made it."""
        case = Case.of(volume)
        if case is not None:
            take_map(case, self.map_method())

    def known(self, volume) -> tuple[dict | None, ScanState]:
        """A volume's result, and the state of its stages under what is chosen now."""
        case = Case.of(volume)
        return (case.result if case else None), state_for(volume, chosen_inputs(**self.choices()))

    def select(self, volume, choices: dict) -> None:
        """Let panel and views show a volume, with the choices that its result was made with.

        Args:
            choices: as `choices` gives them; what is not among them is the default.
        """
        from ..quantification.other_method import Method

        method, parameters = choices.get("method") or Method(), self.parameters
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.inputVolume, parameters.comparison = volume, Comparison.NONE
            parameters.model = choices.get("model") or ""
            parameters.mapMethod = Map(choices.get("map_method") or DEFAULT_METHOD)
            parameters.normals, parameters.secondReader = (
                choices.get("normals") or "",
                choices.get("second_reader") or "",
            )
            for nucleus in _NUCLEI:
                setattr(parameters, f"{nucleus}Volume", method.hottest_volume_ml[nucleus])
            parameters.referencePercentile = method.reference_percentile
        self.show(volume)

    def show(self, volume, keep_position: bool = False) -> None:
        """Show in the four views what is known of a volume and still holds."""
        if volume is None:
            show_nothing()
            return
        hide_other_cases(volume)
        show_in_four_views(volume, self.known(volume)[1], self.settings(), keep_position)
        self.show_regions(volume, self.parameters.showRegions)

    def show_regions(self, volume, visible: bool) -> None:
        """Show or hide the regions of an analyzed volume; of one that has changed since they stay hidden."""
        case = Case.of(volume)
        if case is not None:
            holds = is_scan_current(self.known(volume)[1])
            show_regions(case, visible and holds, self.method().hottest_volume_ml)

    def compare(self, volume, way: str, keep_position: bool = False) -> None:
        """Show a registered volume with the template.

        Raises:
            DaTscanError: it is not registered as it is now.
        """
        if not is_registered(volume):
            raise DaTscanError("The scan is not registered yet, or has changed since: press Register first.")
        hide_other_cases(volume)
        compare(Case.of(volume), way, keep_position)


def is_registered(volume) -> bool:
    """Whether a volume has a transform to MNI, automatic or by hand, that is of the volume as it is now."""
    state = state_for(volume)["registration"]
    return state.is_current or state.reason == "transform"


def registration_to_keep(volume, keep: str):
    """The case's transform node if it is to be used again.

    Args:
        keep: "registration", "manual" (only if it was made by hand) or "nothing".
    """
    case = Case.of(volume)
    transform = case.get(TRANSFORM) if case else None
    if transform is None or keep == "nothing" or not is_registered(volume):
        return None
    return transform if keep == "registration" or is_by_hand(transform) else None


def is_scan(volume) -> bool:
    """Whether a node may be a scan: a volume, no label map, none of the module's own."""
    return volume is not None and volume.GetClassName() == "vtkMRMLScalarVolumeNode" and not is_derived(volume)


def first_scan():
    """The first volume of the scene that may be a scan; None without any."""
    return next(filter(is_scan, slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")), None)
