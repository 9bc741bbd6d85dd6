"""How each network is trained: plans by architecture."""

from dataclasses import dataclass, field, replace

from ..classification.preprocessing import Preprocessing
from ..explanation.reference import Reference, shipped_reference


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        architecture: name of the network.
        preprocessing: of its input.
        reference: what its input and its relevance are compared with, or which of `explanation.reference.SHIPPED`;
            for `midway` a training makes one of its own scans (`midway.py`).
        members: networks of the ensemble, which differ in initial weights and order of the scans.
        spares: networks trained beyond these; the `members` with the lowest validation loss are kept, because now and
            then one starts from weights that learn nothing.
        epochs, batch_size, learning_rate, weight_decay: of Adam; with `decay` the rate falls along a cosine to 0.
        dense_rate: of the first dense layer; None for the lowered one of `optimization.adam`.
        warm_up: steps in which the rate rises to its value.
        initial_scale: factor on the first weights of the first dense layer of a network that starts from nothing.
        normalized_dense: normalize that layer by batch while it trains, see `optimization.normalized_dense`.
        copies: augmented copies of each scan; 0 trains on the scans as they are.
        planted: share of these that get one more lesion (`lesions.py`), where the regional losses are known.
        patience: epochs without a lower validation loss after which training stops; None for all epochs.
        validation_share: of the scans that train, stratified by label, to choose a member's best epoch; each member
            leaves out another part of the scans, so that members differ in what they have seen, too.
        calibration_share: of all scans, stratified by label, which no member sees: for the probability, the grades,
            the band of doubt and the cuts.
        smooth_validation: calibrate on 18-mm-smoothed copies too, each scan counting once.
        heads: output pairs by name.
        head_weights: loss weights of (normal, reduced) by head.
        doubt: probabilities between these are "uncertain", see `AnswerRule`; the widest band that calibration may
            choose.
        doubt_share: of the calibration scans that band and votes may doubt; None for `doubt` and the published votes.
        regions: first output of the regional scores; None for a network without them.
        region_weight: of their loss beside that of the heads.
        seed: of split, weights, order and augmentation.
    """

    architecture: str
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    reference: Reference | str = "midway"
    members: int = 1
    spares: int = 0
    epochs: int = 30
    batch_size: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    decay: bool = False
    dense_rate: float | None = None
    warm_up: int = 0
    initial_scale: float = 1.0
    normalized_dense: bool = False
    copies: int = 0
    planted: float = 0.0
    patience: int | None = None
    validation_share: float = 0.10
    calibration_share: float = 0.10
    smooth_validation: bool = False
    heads: tuple[tuple[str, int, int], ...] = (("balanced", 0, 1),)
    head_weights: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    doubt: tuple[float, float] | None = None
    doubt_share: float | None = None
    regions: int | None = None
    region_weight: float = 2.0
    seed: int = 0

    @property
    def compared_with(self) -> Reference:
        """The reference in use."""
        return shipped_reference(self.reference) if isinstance(self.reference, str) else self.reference


_COMPACT = Plan(
    "compact",
    Preprocessing(from_reference=True, brain_margin=0.0),
    "normal",
    members=5,
    spares=1,
    epochs=3,
    batch_size=16,
    learning_rate=1e-3,
    weight_decay=1e-3,
    decay=True,
    dense_rate=1e-4,
    normalized_dense=True,
    copies=3,
    validation_share=0.20,
    smooth_validation=True,
    heads=(("balanced", 0, 1), ("sensitive", 2, 3), ("specific", 4, 5)),
    head_weights=((1.0, 1.0), (1.0, 10.0), (10.0, 1.0)),
    doubt=(0.1, 0.9),
)

PLANS = {
    "compact": _COMPACT,
    "compact-regional": replace(
        _COMPACT,
        architecture="compact-regional",
        epochs=5,
        regions=6,
        planted=0.25,
        doubt_share=0.08,
    ),
    "wenzel2019": Plan(
        "wenzel2019",
        Preprocessing(box="slab", from_reference=True),
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
    "nazari2021-full": Plan("nazari2021-full", Preprocessing(from_reference=True), epochs=20),
    "nazari2021-striatum": Plan("nazari2021-striatum", Preprocessing(box="striatum", from_reference=True), epochs=20),
    "nazari2021-without-striatum": Plan(
        "nazari2021-without-striatum", Preprocessing(box="without_striatum", from_reference=True), epochs=200
    ),
}


def shortened(plan: Plan, **changes) -> Plan:
    """A plan with the options of the command line that were given."""
    return replace(plan, **{key: value for key, value in changes.items() if value is not None})
