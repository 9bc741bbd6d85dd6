"""Training a classifier from labelled scans: data, engine, choice of the best weights, calibration, model folder.

The engine is MONAI's (on ignite), which brings mixed precision, checkpoints and several GPUs: started by `torchrun`,
each process trains on its part of every epoch. The data are prepared once (`preparation.py`) and, where a plan asks
for it, augmented in advance: copies on disk cost less than the same transforms in every epoch of every member.
"""

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from .atlas import load_atlas
from .augmentation import scan_augmentation, smooth_to
from .classification import choose_device
from .consistency import relevance_cut
from .errors import DaTscanError
from .fine_tuning import rule_of_adapted, train_on
from .inputs import collect_cases
from .metrics import fit_platt
from .models import AnswerRule, Model, Preprocessing, write_model
from .networks import ARCHITECTURES, build_network, count_parameters
from .parallel import in_order
from .preparation import Prepared, prepare_cases
from .version import VERSION

LABELS = ("normal", "reduced")
LEAST_PER_CLASS = 5
NAZARI_2021, WENZEL_2019 = "doi:10.1007/s00259-021-05569-9", "doi:10.1007/s00259-019-04502-5"


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        architecture: name of the network.
        preprocessing: of its input.
        members: networks of the ensemble, which differ in initial weights and order of the scans.
        spares: networks trained beyond these; the `members` with the lowest validation loss are kept, because now and
            then one starts from weights that learn nothing.
        epochs, batch_size, learning_rate, weight_decay: of Adam; with `decay` the rate falls along a cosine to 0.
        copies: augmented copies of each scan; 0 trains on the scans as they are.
        patience: epochs without a lower validation loss after which training stops; None for all epochs.
        validation_share: of the scans, stratified by label, to choose the best epoch and to calibrate.
        smooth_validation: validate on 18-mm-smoothed copies too.
        heads: output pairs by name.
        head_weights: loss weights of (normal, reduced) by head.
        doubt: probabilities between these are "uncertain", see `AnswerRule`.
        seed: of split, weights, order and augmentation.
    """

    architecture: str
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    members: int = 1
    spares: int = 0
    epochs: int = 30
    batch_size: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    decay: bool = False
    copies: int = 0
    patience: int | None = None
    validation_share: float = 0.10
    smooth_validation: bool = False
    heads: tuple[tuple[str, int, int], ...] = (("balanced", 0, 1),)
    head_weights: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    doubt: tuple[float, float] | None = None
    seed: int = 0


PLANS = {
    "compact": Plan(
        "compact",
        Preprocessing(from_midway=True),
        members=5,
        spares=1,
        epochs=3,
        batch_size=16,
        learning_rate=1e-3,
        weight_decay=1e-3,
        decay=True,
        copies=3,
        smooth_validation=True,
        heads=(("balanced", 0, 1), ("sensitive", 2, 3), ("specific", 4, 5)),
        head_weights=((1.0, 1.0), (1.0, 10.0), (10.0, 1.0)),
        # Among the validation scans these doubt 8 of 13 borderline ones and 2 % of the others.
        doubt=(0.1, 0.9),
    ),
    "wenzel2019": Plan(
        "wenzel2019",
        Preprocessing(box="slab", from_midway=True),
        members=1,
        epochs=4,
        batch_size=16,
        learning_rate=3e-4,
        decay=True,
        copies=3,
        smooth_validation=True,
    ),
    # Nazari 2021: Adam 1e-4, batch 8, no augmentation, no class weights. Differences from midway are ours: with plain
    # uptake the validation loss jumped, and the maps had the same sign in both classes.
    "nazari2021-full": Plan("nazari2021-full", Preprocessing(from_midway=True), epochs=20),
    "nazari2021-striatum": Plan("nazari2021-striatum", Preprocessing(box="striatum", from_midway=True), epochs=20),
    "nazari2021-without-striatum": Plan(
        "nazari2021-without-striatum", Preprocessing(striatum_masked=True, from_midway=True), epochs=20
    ),
}


def train(
    manifest: Path, output: Path, plan: Plan, device: str = "auto", workers: int = 1, start: Model | None = None
) -> Model:
    """Train a model from a manifest of labelled scans; the same call again resumes.

    Started by `torchrun`, all processes train each network together.

    Args:
        manifest: CSV with the columns `scan` and `label`.
        output: the model's folder; `output/work` keeps the cache and the checkpoints.
        plan: how.
        device: `auto`, `cpu` or `cuda`.
        workers: processes for preparing scans.
        start: a model to adapt to the scans (`fine_tuning.py`), in place of networks that know nothing.

    Raises:
        DaTscanError: too few usable scans of a class.
    """
    from .engine import first_process_first, process_group

    work = Path(output) / "work"
    with process_group(choose_device(device)):
        with first_process_first():
            cases = [case for case in collect_cases([manifest]) if case.label or case.error]
            prepared, failed = prepare_cases(cases, work / "prepared", workers)
            check_classes(prepared)
            training, validation = split(prepared, plan.validation_share, plan.seed)
            sets = build_sets(training, validation, plan, work / "inputs", workers)
        networks = train_members(sets, plan, work, device, workers, start)
        with first_process_first():
            rule, scores = calibrate(networks, sets.validation, plan, device)
            trained_on = describe_data(training, failed)
            if start:
                rule = rule_of_adapted(start, rule, sets.validation.labels)
                trained_on = f"{start.trained_on} Then adapted: {trained_on}"
            metadata = bundle_metadata(plan, trained_on, scores, count_parameters(networks[0]))
            return write_model(output, plan.architecture, networks, plan.preprocessing, rule, trained_on, metadata)


def check_classes(prepared: list[Prepared]) -> None:
    """Raise `DaTscanError` unless every class has enough usable scans."""
    for label in LABELS:
        count = sum(one.case.label == label for one in prepared)
        if count < LEAST_PER_CLASS:
            raise DaTscanError(
                f"The manifest has only {count} usable scans labelled {label}: give at least "
                f"{LEAST_PER_CLASS} of each class."
            )


def split(prepared: list[Prepared], share: float, seed: int) -> tuple[list[Prepared], list[Prepared]]:
    """(training, validation), stratified by label; the same seed and scans give the same split."""
    random = np.random.default_rng(seed)
    chosen = set()
    for label in LABELS:
        names = sorted(one.case.name for one in prepared if one.case.label == label)
        chosen.update(random.permutation(names)[: max(round(share * len(names)), 1)])
    return (
        [one for one in prepared if one.case.name not in chosen],
        [one for one in prepared if one.case.name in chosen],
    )


@dataclass(frozen=True)
class ImageSet:
    """Network inputs on disk: `images` float16 `(n, x, y, z)` memory-mapped, `labels` int64 `(n,)`."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        import torch

        return torch.from_numpy(self.images[index].astype(np.float32))[None], int(self.labels[index])


@dataclass(frozen=True)
class Sets:
    """Training and validation inputs."""

    training: ImageSet
    validation: ImageSet


def build_sets(training, validation, plan: Plan, folder: Path, workers: int = 1) -> Sets:
    """Write the inputs of both sets once; later calls with the same plan and scans find them."""
    folder.mkdir(parents=True, exist_ok=True)
    return Sets(
        _write_set(folder / "training", training, plan, plan.copies, False, workers),
        _write_set(folder / "validation", validation, plan, 0, plan.smooth_validation, workers),
    )


def _write_set(path, prepared, plan, copies, smoothed, workers):
    names = [one.case.name for one in prepared]
    recipe = json.dumps(
        {
            "names": names,
            "copies": copies,
            "smoothed": smoothed,
            "seed": plan.seed,
            "preprocessing": asdict(plan.preprocessing),
        }
    )
    labels = np.array([LABELS.index(one.case.label) for one in prepared])
    labels = np.repeat(labels, max(copies, 2 if smoothed else 1))
    image_file, recipe_file = path.with_suffix(".npy"), path.with_suffix(".json")
    if not (recipe_file.exists() and recipe_file.read_text() == recipe):
        images = None
        variants_of = partial(_variants, plan=plan, copies=copies, smoothed=smoothed)
        for number, variants in enumerate(in_order(variants_of, enumerate(prepared), workers)):
            if images is None:
                images = np.lib.format.open_memmap(image_file, "w+", np.float16, (len(labels), *variants[0].shape))
            images[number * len(variants) : (number + 1) * len(variants)] = variants
            _progress(f"{path.name} inputs", number + 1, len(prepared))
        images.flush()
        recipe_file.write_text(recipe)
    return ImageSet(np.load(image_file, mmap_mode="r"), labels)


def _variants(numbered, plan, copies, smoothed):
    """Network inputs of one scan, float16: augmented copies, or itself and its smoothed copy."""
    import torch

    number, one = numbered
    atlas, voxels = load_atlas(), one.load()
    chosen = [voxels]
    if smoothed:
        chosen.append(smooth_to(voxels, 18.0, atlas.reference))
    if copies:
        augment = scan_augmentation(atlas.reference).set_random_state(plan.seed + 7919 * number)
        chosen += [np.asarray(augment(torch.from_numpy(voxels)[None])[0]) for _ in range(copies - 1)]
    return [plan.preprocessing.apply(variant, atlas).astype(np.float16) for variant in chosen]


def train_members(sets: Sets, plan: Plan, work: Path, device: str, workers: int, start: Model | None = None) -> list:
    """All members; on a CPU several at a time, one core each, which wastes less than many cores on one network."""
    import ignite.distributed as idist

    run = partial(train_member, sets=sets, plan=plan, work=work, device=device, start=start)
    numbers = range(plan.members + plan.spares)
    if choose_device(device) == "cpu" and idist.get_world_size() == 1 and min(workers, len(numbers)) > 1:
        list(in_order(partial(_trained, run=run), numbers, workers))
    networks = [run(number) for number in numbers]  # those of other processes are read back
    return [networks[number] for number in best_members(plan, work)]


def _trained(number, run):
    run(number)


def best_members(plan: Plan, work: Path) -> list[int]:
    """Numbers of the members with the lowest validation loss, in their order."""
    numbers = range(plan.members + plan.spares)
    if plan.spares == 0:
        return list(numbers)
    losses = {}
    for number in numbers:
        curve = json.loads((work / f"member_{number}" / "learning_curve.json").read_text())
        losses[number] = min(point["validation_loss"] for point in curve)
    return sorted(sorted(numbers, key=losses.get)[: plan.members])


def train_member(number: int, sets: Sets, plan: Plan, work: Path, device: str, start: Model | None = None):
    """One network with the weights of its best epoch, on the CPU in evaluation mode."""
    import torch

    from .engine import run_engine
    from .weights import read_weights, write_weights

    finished = work / f"member_{number}.safetensors"
    network = build_network(plan.architecture, initialize=not finished.exists())
    if finished.exists():
        network.load_state_dict(read_weights(finished), assign=True)
        return network.eval()
    seed, folder = plan.seed + 1000 * number, work / f"member_{number}"
    torch.manual_seed(seed)
    if start:
        members = start.load_networks()
        network = members[number % len(members)]
        best = train_on(network, sets, plan, choose_device(device), folder, seed)
    else:
        network = build_network(plan.architecture)
        best = run_engine(network, sets, plan, choose_device(device), folder, seed, patience=plan.patience)
    network.load_state_dict(best)
    write_weights(finished, network.state_dict())
    return network.to("cpu").eval()


def calibrate(networks, validation: ImageSet, plan: Plan, device: str) -> tuple[AnswerRule, dict]:
    """Platt scaling of the mean balanced logit difference and the cut of the relevance, on the validation set."""
    difference = np.mean(
        [member_differences(network, validation, plan, choose_device(device)) for network in networks], axis=0
    )
    slope, intercept = fit_platt(difference, validation.labels)
    accuracy = float(np.mean((slope * difference + intercept > 0) == (validation.labels == 1)))
    heads = {name: (normal, reduced) for name, normal, reduced in plan.heads}
    contrast = [0.0] * (2 * len(heads))
    contrast[heads["balanced"][0]], contrast[heads["balanced"][1]] = -1.0, 1.0
    every = 2 if plan.smooth_validation else 1  # smoothed copies spread their relevance wider
    sharp = ImageSet(validation.images[::every], validation.labels[::every])
    cut = relevance_cut(networks, sharp, contrast, plan.preprocessing, load_atlas())
    rule = AnswerRule(slope, intercept, doubt=plan.doubt, heads=heads, relevance_cut=round(cut, 4))
    return rule, {"validation_accuracy": round(accuracy, 4), "validation_images": len(validation)}


def member_differences(network, images: ImageSet, plan: Plan, device: str) -> np.ndarray:
    """Balanced logit difference, reduced minus normal, of every image."""
    import torch

    _, normal, reduced = plan.heads[0]
    network = network.to(device)
    out = []
    with torch.inference_mode():
        for start in range(0, len(images), plan.batch_size):
            batch = torch.stack([images[k][0] for k in range(start, min(start + plan.batch_size, len(images)))])
            logits = network(batch.to(device))
            out.append((logits[:, reduced] - logits[:, normal]).cpu().numpy())
    network.to("cpu")
    return np.concatenate(out)


def describe_data(training: list[Prepared], failed: dict) -> str:
    """The sentence that every result of the model repeats."""
    counts = {label: sum(one.case.label == label for one in training) for label in LABELS}
    simulated = all(one.case.name.startswith("sim") for one in training)
    kind = "simulated scans; no patient was involved" if simulated else "scans of a local manifest"
    left_out = f"; {len(failed)} scans could not be used" if failed else ""
    return f"Trained on {counts['normal']} normal and {counts['reduced']} reduced {kind}{left_out}."


def bundle_metadata(plan: Plan, trained_on: str, scores: dict, parameters: int) -> dict:
    """What MONAI's bundle format wants to know of a model."""
    import monai
    import torch

    shape = ARCHITECTURES[plan.architecture].input_shape
    return {
        "version": VERSION,
        "changelog": {VERSION: "first training"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "task": "classification of dopamine transporter SPECT as normal or reduced",
        "authors": "DaTscanAI developers",
        "copyright": "Apache-2.0",
        "data_source": trained_on,
        "data_type": "SPECT in MNI space, 2 mm",
        "intended_use": "research only, not a medical device",
        "eval_metrics": scores,
        "references": [WENZEL_2019 if plan.architecture == "wenzel2019" else NAZARI_2021],
        "parameters": parameters,
        "training": {key: value for key, value in asdict(plan).items() if key != "preprocessing"},
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "modality": "SPECT",
                    "num_channels": 1,
                    "spatial_shape": list(shape[1:]),
                    "dtype": "float32",
                    "is_patch_data": False,
                }
            },
            "outputs": {"pred": {"type": "logits", "num_channels": 2 * len(plan.heads), "dtype": "float32"}},
        },
    }


def shortened(plan: Plan, **changes) -> Plan:
    """A plan with the options of the command line that were given."""
    return replace(plan, **{key: value for key, value in changes.items() if value is not None})


def _progress(what, done, total):
    if done % 50 == 0 or done == total:
        print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)
