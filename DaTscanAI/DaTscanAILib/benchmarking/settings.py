"""What a benchmark measures, and on how much."""

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..base.errors import DaTscanError
from ..simulation.anatomy import ANATOMIES
from .goals import STAGES

FIRST_SEED = 700_500  # of scans that made neither the template nor the quality nor a model


@dataclass(frozen=True)
class Settings:
    """Size and choice of the work.

    Attributes:
        output: folder of the tables.
        quick: a smoke test: small networks and few repetitions, whose figures mean nothing.
        stages: to run.
        model: in place of the default.
        scans: simulated ones to register.
        basis: of templates, in place of the shipped one (`build_fpcit_basis.py --anatomy`).
        anatomies: of the simulated scans.
        batch_scans: of the batch.
        workers: of the batch, beside one alone.
        repetitions: of the other stages.
    """

    output: Path
    quick: bool = False
    stages: tuple[str, ...] = STAGES
    model: str | None = None
    scans: int = 60
    basis: Path | None = None
    anatomies: tuple[str, ...] = ANATOMIES
    batch_scans: int = 200
    workers: int = 2
    repetitions: int = 9

    def command(self) -> str:
        """The command line that repeats the run; of files and folders only the names."""
        words = ["python -m DaTscanAILib benchmark --output DIR"]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "output" or value == field.default:
                continue
            words.append(f"--{field.name.replace('_', '-')}")
            values = value if isinstance(value, tuple) else (value,)
            words += [shlex.quote(Path(str(one)).name) for one in values if one is not True]
        return " ".join(words)

    @property
    def large_network(self) -> dict:
        """The 236 M parameters that the goals are set for; when quick, the same layers for a small image."""
        small = {"input_shape": [1, 21, 26, 23]} if self.quick else {}
        return {"architecture": "nazari2021-full", **small}


def chosen_settings(quick: bool = False, **chosen) -> Settings:
    """Settings of the command line's options.

    Raises:
        DaTscanError: a stage, an anatomy or the basis does not exist.
    """
    for name, known in (("stages", STAGES), ("anatomies", ANATOMIES)):
        for value in chosen.get(name, ()):
            if value not in known:
                raise DaTscanError(f"There is no {value!r} among the {name}: choose from {', '.join(known)}.")
        if name in chosen:
            chosen[name] = tuple(chosen[name])
    if basis := chosen.get("basis"):
        for file in (basis, basis.with_suffix(".nii.gz")):
            if not file.is_file():
                raise DaTscanError(f"{file.name}: there is no such file: give a basis of build_fpcit_basis.py.")
    small = Settings(output=chosen["output"], quick=True, scans=2, batch_scans=4, repetitions=1)
    return replace(small if quick else Settings(output=chosen["output"]), **chosen)
