"""One scan through the whole chain: registration, quantification, classification, explanation."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np

from .base.errors import DaTscanError
from .base.finite import without_non_finite
from .base.software import software_versions
from .base.stopwatch import Stopwatch
from .base.version import RESEARCH_USE
from .classification.answer import Classification, Classifier, describe_classification
from .classification.explained import NOT_EXPLAINED, described_maps, map_warnings
from .classification.grades import describe_grades
from .classification.model_folder import find_model
from .classification.second_reader import describe_second_reader, with_second_reader
from .classification.torch_problems import gpu_problem, torch_problem
from .explanation.methods import DEFAULT_METHOD
from .mni.atlas import load_atlas
from .quantification.against_normals import no_comparison
from .quantification.compared_scan import compare_with_normals
from .quantification.mirroring import ipsilateral_left
from .quantification.normals import NormalDatabase
from .quantification.other_method import Method, quantify_with
from .quantification.overflow import overflow_of
from .quantification.reference_check import check_reference
from .quantification.sbr import describe_quantification, quantify
from .quantification.scaling import normalize
from .quantification.stored_values import check_stored_values, fault_of_image
from .quantification.unknown_sides import hide_sides
from .reading.description import describe_scan
from .reading.scan import Scan
from .reading.scan_checks import display_name
from .registration.affine import (
    BAD_BY_HAND,
    FLIPS,
    Registration,
    describe_registration,
    manual_registration,
    register,
)

STAGES = ("registration", "quantification", "classification")


@dataclass(frozen=True)
class Analysis:
    """Everything known of one scan.

    Attributes:
        result: the content of `result.json`.
        normalized: float32 `(91, 109, 91)` in MNI space, reference level 1, never mirrored; None without a reference.
        relevance: float32 on the same grid, patient's own orientation, positive argues for "reduced"; None where
            nothing was classified.
        error: why there is no answer, one sentence; None when all went well.
        normals: that the scan was set beside; None where none were asked for.
        other_maps: by method, relevance and the part `explanation` of `result.json` as it would be with that map.
    """

    result: dict
    normalized: np.ndarray | None
    relevance: np.ndarray | None
    error: str | None
    normals: NormalDatabase | None = None
    other_maps: dict[str, tuple[np.ndarray, dict]] = field(default_factory=dict)


class Analyzer:
    """The chain made ready once, for many scans.

    Args:
        model: name of a shipped model or a model folder; None for the default.
        device: `auto`, `cpu` or `cuda`.
        second_reader: another model that reads every scan too; None for none.
        map_method: how relevance is made, of `explanation.methods.METHODS`.

    Raises:
        DaTscanError: the model cannot be used (when first needed).
    """

    def __init__(
        self,
        model: str | None = None,
        device: str = "auto",
        second_reader: str | None = None,
        map_method: str = DEFAULT_METHOD,
    ):
        self.model = find_model(model)
        self.second_model = None if second_reader is None else find_model(second_reader)
        self.device = device
        self.map_method = map_method
        self.atlas = load_atlas()

    @cached_property
    def classifier(self) -> Classifier:
        """Made at first use: only then is torch imported."""
        return Classifier(self.model, self.device)

    @cached_property
    def second_classifier(self) -> Classifier:
        """Of the second reader, on the CPU: it makes no map."""
        return Classifier(self.second_model, "cpu")

    def analyze(
        self,
        scan: Scan,
        case: str,
        scanner_from_mni: np.ndarray | Registration | None = None,
        method: Method | None = None,
        progress: Callable[[str], None] | None = None,
        normals: NormalDatabase | None = None,
    ) -> Analysis:
        """Run the chain on one scan.

        Args:
            scan: from `read_scan`.
            case: name that the result carries.
            scanner_from_mni: 4x4 given by a person in place of the automatic registration, or a registration that
                has been computed before.
            method: of the SBRs, in place of the default.
            progress: called with each of `STAGES` as it begins; may raise to stop.
            normals: to set the scan beside.
        """
        run = _Run(scan, case, Stopwatch(progress), self.atlas, normals)
        run.register(scanner_from_mni)
        refusal = run.refusal(run.quantify(method))
        run.result["refused"] = refusal is not None
        error = refusal or torch_problem(display_name(scan.path))
        if error:
            return run.finished(error)
        normalized, quantification = run.normalized, run.quantification
        with run.clock("classification"):
            scan_left = ipsilateral_left(normalized.voxels, quantification.mirrored)
            classification = self._classify(scan_left, quantification, run.result["warnings"])
            classification, second = self._with_second_reader(classification, scan_left, quantification)
        run.result["classification"] = describe_classification(classification, self.model) | second
        run.result["warnings"] += classification.atypical
        run.result["quantification"]["grades"] = describe_grades(classification.grades) or None
        maps = described_maps(classification, self.model, quantification.mirrored)
        relevance, run.result["explanation"] = maps.pop(classification.map_method)
        run.result["warnings"] += map_warnings(run.result["explanation"], classification.label)
        return run.finished(None, relevance, maps)

    def _with_second_reader(self, first, voxels, quantification) -> tuple[Classification, dict]:
        """The answer held against the second reader's, and what to say of that in the result."""
        if self.second_model is None:
            return first, {}
        second = self.second_classifier.classify(voxels, quantification, with_relevance=False)
        pair = (first, self.model, second, self.second_model)
        return with_second_reader(*pair), {"second_reader": describe_second_reader(*pair)}

    def _classify(self, voxels, quantification, warnings) -> Classification:
        """The answer; where the GPU fails, the CPU's, with a warning."""
        try:
            return self.classifier.classify(voxels, quantification, self.map_method)
        except RuntimeError as error:  # CUDA's errors, out of memory among them, are of this type
            problem = gpu_problem(error)
            if problem is None:
                raise
        warnings.append(problem)
        self.classifier = Classifier(self.model, "cpu")
        return self.classifier.classify(voxels, quantification, self.map_method)


def measure(
    scan: Scan,
    case: str,
    scanner_from_mni: np.ndarray | Registration | None = None,
    last_stage: str = "quantification",
    method: Method | None = None,
    progress: Callable[[str], None] | None = None,
    normals: NormalDatabase | None = None,
) -> Analysis:
    """The chain without its classification; needs neither a model nor torch.

    Args:
        last_stage: "registration" or "quantification".
        scan, case, scanner_from_mni, method, progress, normals: as in `Analyzer.analyze`.
    """
    run = _Run(scan, case, Stopwatch(progress), load_atlas(), normals)
    run.register(scanner_from_mni)
    return run.finished(run.quantify(method) if last_stage == "quantification" else None)


class _Run:
    """One scan on its way through the stages."""

    def __init__(self, scan, case, clock, atlas, normals):
        self.scan, self.clock, self.atlas, self.normals = scan, clock, atlas, normals
        self.registration = self.normalized = self.quantification = self.stored_values = None
        self.result = {
            "case": case,
            "research_use": RESEARCH_USE,
            **describe_scan(scan),
            "registration": None,
            "quantification": None,
            # Present in every result, so that a reader of many need not ask.
            "classification": {"label": None, "probability_reduced": None, "model": None},
            "explanation": dict(NOT_EXPLAINED),
            "warnings": list(scan.warnings),
        }

    def register(self, given):
        with self.clock("registration"):
            if given is None:
                self.registration = register(self.scan)
            else:
                is_judged = isinstance(given, Registration)
                self.registration = given if is_judged else manual_registration(given, self.scan)
        self.result["registration"] = describe_registration(self.registration)
        self.result["warnings"] += self.registration.warnings

    def quantify(self, method) -> str | None:
        """Measures; the sentence that says why it cannot."""
        try:
            with self.clock("quantification"):
                scan, scanner_from_mni = self.scan, self.registration.scanner_from_mni
                self.normalized = normalize(scan.voxels, scan.affine, scanner_from_mni, self.atlas, scan.covered)
                self.quantification = quantify(self.normalized, self.atlas)
                shown = self.quantification
                if method is not None and method != Method():
                    shown = quantify_with(method, self.quantification, self.normalized, self.atlas)
        except DaTscanError as error:
            return f"{display_name(self.scan.path)}: {error}"
        self.result["quantification"] = describe_quantification(shown)
        reference = check_reference(self.normalized)
        if not self.registration.sides_known:
            reference = replace(reference, right_over_left=None)
        self.result["quantification"]["reference"] = asdict(reference)
        self.stored_values = check_stored_values(scan, scanner_from_mni, self.normalized.reference_level)
        self.result["quantification"]["stored_values"] = self.stored_values.to_json()
        self.result["warnings"] += [*shown.warnings, *reference.warnings]
        if self.registration.accepted:
            self.result["warnings"] += self.stored_values.warnings
        self.set_beside_normals(usual_method=shown is self.quantification)
        return None

    def set_beside_normals(self, usual_method: bool):
        """z-scores; null without normals, and with a sentence where they do not fit."""
        measured = self.result["quantification"]
        measured["z"] = measured["normals"] = None
        if self.normals is None:
            return
        accepted = self.registration.accepted
        if self.registration.sides_known:
            compared = compare_with_normals(
                self.scan, self.normalized, measured, self.normals, usual_method, accepted
            )
        else:
            compared = no_comparison(self.normals, "left and right are unknown")
        measured["z"], measured["normals"] = compared.z, compared.to_json()
        self.result["warnings"] += [compared.why_not] if compared.why_not else compared.notes

    def refusal(self, unmeasured: str | None) -> str | None:
        """Why the scan is not to be classified; a registration that failed goes before what follows from it.

        Args:
            unmeasured: of `quantify`.
        """
        name, registration = display_name(self.scan.path), self.registration
        if not registration.accepted and registration.manual:
            return f"{name}: {BAD_BY_HAND.format(quality=registration.quality)}"
        if registration.looks_like:
            other = registration.looks_like
            return f"{name} is no DAT scan, it looks like {other}: give the reconstruction of a DAT scan."
        fault = overflow_of(self.scan, name) or (None if registration.accepted else fault_of_image(self.scan, name))
        if fault:
            return fault
        if not registration.accepted and registration.flipped:
            return (
                f"{name}: the header seems to hold the head {FLIPS[registration.flipped]}, so left and right are in "
                "doubt: correct its orientation and analyze it again."
            )
        if not registration.accepted:
            return (
                f"{name}: the registration to the FP-CIT template was not accepted (quality "
                f"{registration.quality:.2f}), {registration.reason}: check that this is a DAT scan, or give a "
                "transform by hand."
            )
        if unmeasured:
            return unmeasured
        if None in self.quantification.sbr.values():  # the zeros outside would pass for lost uptake
            return (
                f"{name}: the field of view cuts the striatum, so there is no answer: give the whole reconstruction."
            )
        return self.stored_values.refusal(name)

    def finished(self, error, relevance=None, other_maps=None) -> Analysis:
        self.result["error"], other_maps = error, other_maps or {}
        if not self.registration.sides_known:
            hide_sides(self.result, [explanation for _, explanation in other_maps.values()])
        if error:
            self.result["warnings"].append("No answer is given; the error says why.")
        self.result["timing_s"] = self.clock.seconds()
        self.result["versions"] = software_versions()
        voxels = None if self.normalized is None else self.normalized.voxels
        return Analysis(without_non_finite(self.result), voxels, relevance, error, self.normals, other_maps)
