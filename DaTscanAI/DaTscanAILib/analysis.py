"""One scan through the whole chain: registration, quantification, classification, explanation."""

import platform
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from .atlas import Atlas, load_atlas
from .classification import Classification, Classifier
from .consistency import lower_putamen_relevance
from .errors import DaTscanError
from .models import find_model
from .normal_values import normal_values
from .quantification import (
    HOTTEST_VOLUME_ML,
    REFERENCE_PERCENTILE,
    Normalized,
    Quantification,
    asymmetry_percent_of,
    caudate_putamen_ratio_of,
    hottest_voxels_mean,
    ipsilateral_left,
    normalize,
    quantify,
)
from .reading.scan_checks import display_name
from .registration import Registration, manual_registration, register
from .scan import Scan
from .version import VERSION

RESEARCH_USE = "Research use only. Not a medical device."
STAGES = ("registration", "quantification", "classification")

_version_of = lru_cache(version)  # reading a package's metadata takes milliseconds for each scan


@dataclass(frozen=True)
class Method:
    """How SBRs are measured; the networks' input and the choice of the lower side keep to the default.

    Attributes:
        hottest_volume_ml: volume of the hottest voxels by nucleus.
        reference_percentile: of the reference region, to which the scan is scaled.
    """

    hottest_volume_ml: dict[str, float] = field(default_factory=lambda: dict(HOTTEST_VOLUME_ML))
    reference_percentile: float = REFERENCE_PERCENTILE


@dataclass(frozen=True)
class Analysis:
    """Everything known of one scan.

    Attributes:
        result: the content of `result.json`.
        normalized: float32 `(91, 109, 91)` in MNI space, reference level 1, never mirrored; None without a reference.
        relevance: float32 on the same grid, patient's own orientation, positive argues for "reduced"; None where
            nothing was classified.
        error: why there is no answer, one sentence; None when all went well.
    """

    result: dict
    normalized: np.ndarray | None
    relevance: np.ndarray | None
    error: str | None


class Analyzer:
    """The chain made ready once, for many scans.

    Args:
        model: name of a shipped model or a model folder; None for the default.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        DaTscanError: the model cannot be used (when first needed).
    """

    def __init__(self, model: str | None = None, device: str = "auto"):
        self.model = find_model(model)
        self.device = device
        self.atlas = load_atlas()

    @cached_property
    def classifier(self) -> Classifier:
        """Made at first use: only then is torch imported."""
        return Classifier(self.model, self.device)

    def analyze(
        self,
        scan: Scan,
        case: str,
        scanner_from_mni: np.ndarray | Registration | None = None,
        method: Method | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Analysis:
        """Run the chain on one scan.

        Args:
            scan: from `read_scan`.
            case: name that the result carries.
            scanner_from_mni: 4x4 given by a person in place of the automatic registration, or a registration that
                has been computed before.
            method: of the SBRs, in place of the default.
            progress: called with each of `STAGES` as it begins; may raise to stop.
        """
        run = _Run(scan, case, Stopwatch(progress), self.atlas)
        run.register(scanner_from_mni)
        error = run.quantify(method) or run.refusal() or torch_problem(display_name(scan.path))
        if error:
            return run.finished(error)
        normalized, quantification = run.normalized, run.quantification
        with run.clock("classification"):
            scan_left = ipsilateral_left(normalized.voxels, quantification.mirrored)
            classification = self._classify(scan_left, run.result["warnings"])
        run.result["classification"] = self._describe_classification(classification)
        run.result["explanation"] = explain(classification, scan_left, self.atlas, self.model.rule.relevance_cut)
        if not run.result["explanation"]["consistent"]:
            run.result["warnings"].append(
                "The relevance of the lower putamen does not agree with the answer: look at the "
                "map before you trust it."
            )
        return run.finished(None, ipsilateral_left(classification.relevance, quantification.mirrored))

    def _classify(self, voxels, warnings) -> Classification:
        """The answer; where the GPU fails, the CPU's, with a warning."""
        try:
            return self.classifier.classify(voxels)
        except RuntimeError as error:  # CUDA's errors, out of memory among them, are of this type
            problem = gpu_problem(error)
            if problem is None:
                raise
        warnings.append(problem)
        self.classifier = Classifier(self.model, "cpu")
        return self.classifier.classify(voxels)

    def _describe_classification(self, classification: Classification) -> dict:
        return {
            "label": classification.label,
            "probability_reduced": classification.probability_reduced,
            "logit_difference": classification.logit_difference,
            "votes_for_reduced": classification.votes,
            "members": classification.members,
            "model": self.model.name,
            "model_version": self.model.version,
            "trained_on": self.model.trained_on,
            "device": classification.device,
        }


def measure(
    scan: Scan,
    case: str,
    scanner_from_mni: np.ndarray | Registration | None = None,
    last_stage: str = "quantification",
    method: Method | None = None,
    progress: Callable[[str], None] | None = None,
) -> Analysis:
    """The chain without its classification; needs neither a model nor torch.

    Args:
        last_stage: "registration" or "quantification".
        scan, case, scanner_from_mni, method, progress: as in `Analyzer.analyze`.
    """
    run = _Run(scan, case, Stopwatch(progress), load_atlas())
    run.register(scanner_from_mni)
    return run.finished(run.quantify(method) if last_stage == "quantification" else None)


class _Run:
    """One scan on its way through the stages."""

    def __init__(self, scan, case, clock, atlas):
        self.scan, self.clock, self.atlas = scan, clock, atlas
        self.registration = self.normalized = self.quantification = None
        self.result = {
            "case": case,
            "research_use": RESEARCH_USE,
            **describe_scan(scan),
            "registration": None,
            "quantification": None,
            # Present in every result, so that a reader of many need not ask.
            "classification": {"label": None, "probability_reduced": None, "model": None},
            "explanation": {"ipsilateral_putamen_relevance": None, "consistent": None},
            "warnings": list(scan.warnings),
        }

    def register(self, given):
        with self.clock("registration"):
            if given is None:
                self.registration = register(self.scan)
            else:
                self.registration = given if isinstance(given, Registration) else manual_registration(given)
        self.result["registration"] = describe_registration(self.registration)
        self.result["warnings"] += self.registration.warnings

    def quantify(self, method) -> str | None:
        """Measures; the sentence that says why it cannot."""
        try:
            with self.clock("quantification"):
                self.normalized = normalize(
                    self.scan.voxels, self.scan.affine, self.registration.scanner_from_mni, self.atlas
                )
                self.quantification = quantify(self.normalized, self.atlas)
                shown = self.quantification
                if method is not None and method != Method():
                    shown = quantify_with(method, self.quantification, self.normalized, self.atlas)
        except DaTscanError as error:
            return f"{display_name(self.scan.path)}: {error}"
        self.result["quantification"] = describe_quantification(shown)
        if shown is self.quantification:  # another method has other normal values
            self.result["quantification"]["normal_values"] = normal_values(self.scan.patient.age)
        self.result["warnings"] += shown.warnings
        return None

    def refusal(self) -> str | None:
        """Why the scan is not to be classified."""
        if not self.registration.accepted:
            return (
                f"{display_name(self.scan.path)}: the registration to the FP-CIT template was not accepted (quality "
                f"{self.registration.quality:.2f}): check that this is a DAT scan, or give a transform by hand."
            )
        if None in self.quantification.sbr.values():  # the zeros outside would pass for lost uptake
            return (
                f"{display_name(self.scan.path)}: the field of view cuts the striatum, so there is no answer: give "
                "the whole reconstruction."
            )
        return None

    def finished(self, error, relevance=None) -> Analysis:
        self.result["error"] = error
        if error:
            self.result["warnings"].append("No answer is given; the error says why.")
        self.result["timing_s"] = self.clock.seconds()
        self.result["versions"] = software_versions()
        voxels = None if self.normalized is None else self.normalized.voxels
        return Analysis(_without_non_finite(self.result), voxels, relevance, error)


def quantify_with(
    method: Method, quantification: Quantification, normalized: Normalized, atlas: Atlas
) -> Quantification:
    """A scan's numbers by another method.

    Raises:
        DaTscanError: a volume is larger than its region.
    """
    level = np.percentile(normalized.voxels[atlas.reference & normalized.covered], method.reference_percentile)
    sbr = {}
    for key, value in quantification.sbr.items():
        nucleus, side = key.split("_")
        values = normalized.voxels[atlas.hottest_voxels_region(nucleus, side)]
        try:
            hottest = hottest_voxels_mean(values, method.hottest_volume_ml[nucleus])
        except ValueError as error:
            raise DaTscanError(f"the volume for the {nucleus} is too large: {error}.") from error
        sbr[key] = None if value is None else hottest / level - 1
    volumes = ", ".join(f"{nucleus} {volume:g} ml" for nucleus, volume in method.hottest_volume_ml.items())
    sentence = f"SBRs by another method than usual: {volumes}, percentile {method.reference_percentile:g}."
    return replace(
        quantification,
        sbr=sbr,
        sbr_aal={
            key: None if value is None else (value + 1) / level - 1 for key, value in quantification.sbr_aal.items()
        },
        asymmetry_percent={
            nucleus: asymmetry_percent_of(sbr[f"{nucleus}_left"], sbr[f"{nucleus}_right"])
            for nucleus in quantification.asymmetry_percent
        },
        caudate_putamen_ratio={
            side: caudate_putamen_ratio_of(sbr[f"caudate_{side}"], sbr[f"putamen_{side}"])
            for side in quantification.caudate_putamen_ratio
        },
        reference_level=quantification.reference_level * float(level),
        warnings=(*quantification.warnings, sentence),
    )


def torch_problem(name: str) -> str | None:
    """The sentence for a scan that cannot be classified because torch is missing or broken."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "torch"
        state = "is not installed" if missing else f"cannot be loaded ({error})"
        return (
            f"{name}: PyTorch {state}, so the scan was measured but not classified: install it (in Slicer with the "
            "module PyTorch Util) and analyze again."
        )
    return None


def gpu_problem(error: RuntimeError) -> str | None:
    """The warning for an error of the GPU; None for another error."""
    text = str(error)
    if "out of memory" in text and "CPU" not in text:
        return "The GPU has too little free memory: the scan was classified on the CPU."
    if "no kernel image" in text:
        return (
            "The installed PyTorch does not know this GPU: the scan was classified on the CPU; install a newer "
            "PyTorch to use the GPU."
        )
    if "CUDA" in text or "cuDNN" in text:
        return f"The GPU failed ({text.splitlines()[0]}): the scan was classified on the CPU."
    return None


def describe_scan(scan: Scan) -> dict:
    """What is known of scan, patient and camera, nothing that identifies."""
    return {
        "scan": {
            "file": display_name(scan.path),
            "format": scan.format,
            "shape": list(scan.voxels.shape),
            "affine_ras": np.round(scan.affine, 6).tolist(),
        },
        "patient": asdict(scan.patient),
        "camera": asdict(scan.camera),
    }


def describe_registration(registration: Registration) -> dict:
    return {
        "scanner_from_mni_ras": registration.scanner_from_mni.tolist(),
        "quality": registration.quality,
        "accepted": registration.accepted,
        "manual": registration.manual,
        "flipped": registration.flipped,
        "features": registration.features,
    }


def describe_quantification(quantification: Quantification) -> dict:
    return {
        "sbr": quantification.sbr,
        "sbr_aal": quantification.sbr_aal,
        "asymmetry_percent": quantification.asymmetry_percent,
        "caudate_putamen_ratio": quantification.caudate_putamen_ratio,
        "mirrored": quantification.mirrored,
        "lower_putamen": quantification.lower_side,
        "reference_level": quantification.reference_level,
    }


def explain(classification: Classification, scan_left: np.ndarray, atlas: Atlas, cut: float) -> dict:
    """Relevance of the hottest voxels of the ipsilateral (lower) putamen, and whether it fits the answer.

    Args:
        scan_left: normalized, lower putamen left.
        cut: of the share, see `AnswerRule`.
    """
    mean, share = lower_putamen_relevance(classification.relevance, scan_left, atlas)
    return {
        "ipsilateral_putamen_relevance": mean,
        "ipsilateral_putamen_share": share,
        "share_cut": cut,
        "consistent": (share > cut) == (classification.probability_reduced >= 0.5),
    }


class Stopwatch:
    """Seconds by stage: `with clock("registration"): ...`; `progress` is told each stage as it begins."""

    def __init__(self, progress: Callable[[str], None] | None = None):
        self._start = time.perf_counter()
        self._stages = {}
        self._progress = progress or (lambda _stage: None)

    @contextmanager
    def __call__(self, stage):
        self._progress(stage)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages[stage] = time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        return {**self._stages, "total": time.perf_counter() - self._start}


def software_versions() -> dict[str, str]:
    """Versions of this software and of what computes its numbers."""
    versions = {"datscanai": VERSION, "python": platform.python_version()}
    for package in ("numpy", "scipy", "SimpleITK", "torch", "pydicom"):
        try:
            versions[package.lower()] = _version_of(package)
        except PackageNotFoundError:
            continue
    return versions


def _without_non_finite(result):
    """Replace non-finite numbers by None, with a warning that names them."""
    lost = []

    def clean(value, where):
        if isinstance(value, dict):
            return {key: clean(item, f"{where}.{key}" if where else key) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(item, where) for item in value]
        if isinstance(value, (float, np.floating)) and not np.isfinite(value):
            lost.append(where)
            return None
        return value.item() if isinstance(value, np.generic) else value

    cleaned = clean(result, "")
    cleaned["warnings"] += [f"{where} is not available." for where in dict.fromkeys(lost)]
    return cleaned
