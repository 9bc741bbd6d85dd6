"""The rooms of the library and their order: no import runs back up, and each room says what it is for."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "DaTscanAI" / "DaTscanAILib"
# From what everything may use to what uses everything: a room imports from itself and from those before it.
ROOMS = (
    "base",
    "mni",
    "reading",
    "reconstruction",
    "registration",
    "quantification",
    "explanation",
    "classification",
    "analysis",
    "reporting",
    "batch",
    # What arrives by itself is analyzed as a batch is, and nothing after it needs to know how a scan came.
    "arriving",
    "evaluation",
    "simulation",
    "training",
    "studies",
    "benchmarking",
    "slicer_adapters",
    "cli",
    "__main__",
)
# What runs inside Slicer needs neither the studies nor the benchmark, and nothing outside it needs Slicer.
FORBIDDEN = {
    "slicer_adapters": {"studies", "benchmarking", "training"},
    "cli": {"slicer_adapters"},
    "benchmarking": {"studies"},
    "registration": {"reconstruction"},
    "quantification": {"reconstruction"},
}


def sources():
    return [path for path in sorted(LIBRARY.rglob("*.py")) if path != LIBRARY / "__init__.py"]


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def imported_rooms(path: Path, code: str) -> set[str]:
    """Rooms that a file's code imports from, wherever in the file."""
    inside, rooms = path.relative_to(LIBRARY).with_suffix("").parts, set()
    for node in ast.walk(ast.parse(code)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.level:
            package = inside[: len(inside) - node.level]
            whole = [*package, *(node.module.split(".") if node.module else ())]
            names = [whole] if whole else [[alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("DaTscanAILib."):
            names = [node.module.split(".")[1:]]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".")[1:] for alias in node.names if alias.name.startswith("DaTscanAILib.")]
        rooms |= {name[0] for name in names}
    return rooms


def wrong_arrows(path: Path, code: str) -> set[str]:
    room = room_of(path)
    imported = imported_rooms(path, code) - {room}
    allowed = set(ROOMS[: ROOMS.index(room)]) - FORBIDDEN.get(room, set())
    return imported - allowed


def test_no_import_runs_back_up():
    found = {
        path.relative_to(LIBRARY).as_posix(): wrong
        for path in sources()
        if (wrong := wrong_arrows(path, path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("file", "code", "wrong"),
    [
        ("mni/atlas.py", "from ..reading.scan import Scan", {"reading"}),
        ("reconstruction/osem.py", "def f():\n    from ..simulation import cameras", {"simulation"}),
        ("benchmarking/start_up.py", "from .. import cli", {"cli"}),
        ("explanation/lrp.py", "import DaTscanAILib.classification.networks", {"classification"}),
        ("slicer_adapters/panels/scan.py", "from ...studies.run import run_study", {"studies"}),
        ("analysis.py", "from .reporting import report\nfrom .base import errors", {"reporting"}),
        ("training/train.py", "from ..batch.options import Options\nfrom .engine import adam", set()),
    ],
)
def test_a_turned_arrow_is_found(file, code, wrong):
    assert wrong_arrows(LIBRARY / file, code) == wrong


def test_every_room_is_in_the_order_and_says_what_it_is_for():
    assert {room_of(path) for path in sources()} == set(ROOMS)
    for folder in sorted({path.parent for path in sources()} - {LIBRARY, LIBRARY / "slicer_adapters" / "panels"}):
        tree = ast.parse((folder / "__init__.py").read_text())
        docstring = ast.get_docstring(tree)
        assert docstring, folder.name
        assert "Imports" in docstring, folder.name
        assert len(tree.body) == 1, f"{folder.name}/__init__.py holds more than its docstring"


def test_the_tests_lie_in_their_rooms():
    """A stranger finds a room's tests by its name."""
    testing = Path(__file__).resolve().parents[1]
    assert sorted(path.name for path in testing.glob("test_*.py")) == []
    folders = {path.parent.name for path in testing.glob("*/test_*.py")}
    assert folders <= {*ROOMS, "chain", "slicer", "project"}


def test_no_file_imports_itself_through_others():
    imports = {
        path: {
            found
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ImportFrom) and node.level
            for found in [imported_file(path, node)]
            if found
        }
        for path in sources()
    }
    while free := [path for path, others in imports.items() if not others & set(imports)]:
        for path in free:
            del imports[path]
    assert [path.relative_to(LIBRARY).as_posix() for path in imports] == []


def imported_file(path: Path, node: ast.ImportFrom) -> Path | None:
    """The file that `from .x import y` reads, None for a package."""
    folder = path.parents[node.level - 1]
    file = folder.joinpath(*(node.module.split(".") if node.module else ())).with_suffix(".py")
    return file if file.is_file() and file != path else None
