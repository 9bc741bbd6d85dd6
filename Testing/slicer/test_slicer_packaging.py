"""What CMake packages, what the catalogue says, and that the packaged tree works by itself."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from fake_ui import UI, widgets_of_ui
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "DaTscanAI"
DATA_FOLDERS = ("Languages", "Models", "Normals", "Page", "Samples", "Templates")


def cmake_list(text, name):
    """The entries of `set(NAME ...)`."""
    body = re.search(rf"set\({name}\s(.*?)\)", text, re.DOTALL)[1]
    return [entry.replace("${MODULE_NAME}", "DaTscanAI") for entry in body.split()]


@pytest.fixture(scope="module")
def module_cmake():
    return (MODULE / "CMakeLists.txt").read_text()


@pytest.fixture(scope="module")
def extension():
    """`{"HOMEPAGE": ..., ...}` of the extension's metadata."""
    text = (ROOT / "CMakeLists.txt").read_text()
    return dict(re.findall(r'set\(EXTENSION_([A-Z_]+) "([^"]*)"\)', text))


# ---- lists


def test_every_script_is_packaged_and_nothing_that_is_not_there(module_cmake):
    listed = cmake_list(module_cmake, "MODULE_PYTHON_SCRIPTS")
    on_disk = {path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*.py")}
    on_disk = {path for path in on_disk if not path.startswith("Resources/")}
    assert len(listed) == len(set(listed))
    missing = sorted(on_disk - set(listed))
    assert not missing, "add to DaTscanAI/CMakeLists.txt:\n" + "\n".join(f"  {path}" for path in missing)
    assert set(listed) <= on_disk


def test_every_resource_of_the_module_is_packaged(module_cmake):
    listed = cmake_list(module_cmake, "MODULE_PYTHON_RESOURCES")
    on_disk = {path.relative_to(MODULE).as_posix() for path in (MODULE / "Resources").rglob("*") if path.is_file()}
    assert set(listed) == {path for path in on_disk if not path.endswith((".py", ".pyc"))}


def test_every_data_folder_is_packaged(module_cmake):
    assert cmake_list(module_cmake, "DATA_FOLDERS") == list(DATA_FOLDERS)
    sources = " ".join(path.read_text() for path in MODULE.rglob("*.py"))
    used = set(re.findall(r'resource_path\(\s*"(\w+)"', sources))
    assert {"Templates", "Samples", "Models"} <= used <= {*DATA_FOLDERS}


def test_each_script_beside_the_module_is_a_module_that_slicer_can_load():
    """Slicer takes every Python file there as a module and looks for a class of the file's name."""
    for path in MODULE.glob("*.py"):
        classes = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}
        assert path.stem in classes


# ---- metadata


def test_the_extension_description_equals_the_cmake_metadata(extension):
    lines = [line for line in (ROOT / "DaTscanAI.s4ext").read_text().splitlines() if line and line[0] != "#"]
    description = {key: value for key, _, value in (line.partition(" ") for line in lines)}
    names = ("homepage", "contributors", "category", "iconurl", "status", "tier", "description", "screenshoturls")
    for name in (*names, "depends", "enabled", "dicom_support_rule", "keywords", "build_subdirectory"):
        assert description[name] == extension[name.upper()], name
    assert description["scm"] == "git"
    assert description["scmurl"] == f"{extension['HOMEPAGE']}.git"


def test_the_catalogue_entry_fits_the_cmake_metadata(extension):
    entry = json.loads((ROOT / "DaTscanAI.json").read_bytes())
    assert entry["category"] == extension["CATEGORY"] == "Nuclear Medicine"
    assert entry["scm_url"] == f"{extension['HOMEPAGE']}.git"
    assert entry["build_dependencies"] == extension["DEPENDS"].split()
    assert entry["dicom_support_rule"] == extension["DICOM_SUPPORT_RULE"]
    assert entry["tier"] == int(extension["TIER"])


# The rules of ExtensionsIndex' schema, slicer-extension-catalog-entry-schema-v1.0.2: types, and which are required.
SCHEMA = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": ("git", "local"),
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": range(1, 6),
}
REQUIRED = {"$schema", "category", "scm_url"}


def schema_errors(entry):
    """Sentences on what an entry does against `SCHEMA`."""
    errors = [f"{name} is missing" for name in REQUIRED - set(entry)]
    for name, value in entry.items():
        rule = SCHEMA.get(name)
        if rule is None:
            errors.append(f"{name} is no property")
        elif isinstance(rule, type):
            fits = isinstance(value, rule) and (rule is not list or all(isinstance(part, str) for part in value))
            errors += [] if fits else [f"{name} is of another type"]
        elif value not in rule or isinstance(value, bool):
            errors.append(f"{name} is none of the values that are allowed")
    return errors


def test_the_catalogue_entry_keeps_the_rules_of_the_index_schema():
    content = (ROOT / "DaTscanAI.json").read_bytes()
    entry = json.loads(content)
    assert b"\r" not in content
    assert schema_errors(entry) == []
    assert re.search(r"schema-v1\.0\.2\.json#?$", entry["$schema"])
    assert schema_errors({**entry, "tier": 6, "scm_revision": 3}) == [
        "scm_revision is of another type",
        "tier is none of the values that are allowed",
    ]
    assert schema_errors({"category": "x", "homepage": "y"})[-1] == "homepage is no property"


def test_what_the_reviewers_of_the_index_ask_for_is_there(extension):
    """Their list for the tiers 1 and 3, as far as a repository can show it."""
    readme, license_text = (ROOT / "README.md").read_text(), (ROOT / "LICENSE.txt").read_text()
    assert not (ROOT / "DaTscanAI.json").stem.startswith("Slicer")
    assert extension["HOMEPAGE"].rsplit("/", 1)[1] == "SlicerDaTscanAI"
    assert (
        len(re.findall(r"[.!?](?:\s|$)", extension["DESCRIPTION"])) <= 3
    )  # one or two sentences, and "Research use"
    assert "Apache License" in license_text
    assert "Apache" in readme
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
    assert re.search(r"module of 3D Slicer", readme)  # each module in a sentence
    assert re.search(r"^## In Slicer", readme, re.MULTILINE)
    assert "*Sample:" in readme or "*Load sample*" in readme  # where the tutorial's data come from
    assert (ROOT / "CITATION.cff").is_file()


def test_the_repository_is_small_enough_for_the_index():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 100 * 2**20


def test_the_catalogues_own_checks_find_name_icon_and_screenshots():
    """The regular expressions of the catalogue's continuous integration."""
    text = (ROOT / "CMakeLists.txt").read_text()
    assert re.search(r"project\s*\(\s*([^\s\)\n\r]+)", text)[1] == "DaTscanAI"
    icon = re.search(r'set\s*\(EXTENSION_ICONURL\s*"([^"]+)"[ ]*\)', text)[1]
    screenshots = re.search(r'set\s*\(EXTENSION_SCREENSHOTURLS\s*"([^"]+)"\)', text)[1].split()
    base = "https://raw.githubusercontent.com/DaTscanAI/SlicerDaTscanAI/main/"
    assert (ROOT / icon.removeprefix(base)).is_file()
    assert screenshots
    assert all(url.startswith(base) and url.endswith(".png") for url in screenshots)
    repository = re.search(r'EXTENSION_HOMEPAGE "([^"]+)"', text)[1].rsplit("/", 1)[1]
    assert repository.startswith("Slicer")


@pytest.mark.parametrize("path", [ROOT / "DaTscanAI.png", MODULE / "Resources" / "Icons" / "DaTscanAI.png"])
def test_icons_have_the_size_that_slicer_wants(path):
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (128, 128), "RGBA")


@pytest.mark.parametrize("name", ["DaTscanReduced", "DaTscanNormal"])
def test_thumbnails_have_the_size_of_the_sample_data_module(name):
    with Image.open(MODULE / "Resources" / "Icons" / f"{name}.png") as image:
        assert image.size == (260, 280)


# ---- data


@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_the_data_are_found_where_the_extension_is_bundled_into_a_custom_slicer(tmp_path):
    """There the project's folder is Slicer's; its macros are stood in for."""
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\n"
        "project(Slicer NONE)\n"
        "macro(slicerMacroBuildScriptedModule)\nendmacro()\n"
        "set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib)\n"
        "set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib)\n"
        f'add_subdirectory("{MODULE.as_posix()}" module)\n'
    )
    build, package = tmp_path / "build", tmp_path / "package"
    subprocess.run(["cmake", "-S", tmp_path, "-B", build], check=True, capture_output=True)
    subprocess.run(["cmake", "--install", build, "--prefix", package], check=True, capture_output=True)
    for tree in (build, package):
        data = tree / "lib" / "Resources" / "DaTscanAI"
        assert {path.name for path in data.iterdir()} == {*DATA_FOLDERS}
        assert (data / "Samples" / "reduced.dcm").is_file()
        assert not list(data.rglob("*.py"))


# ---- installed tree


@pytest.fixture(scope="module")
def installed(tmp_path_factory, module_cmake):
    """`qt-scripted-modules` as the CMake lists make it."""
    tree = tmp_path_factory.mktemp("installed") / "lib" / "Slicer-5.12" / "qt-scripted-modules"
    for name in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        for entry in cmake_list(module_cmake, name):
            (tree / entry).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(MODULE / entry, tree / entry)
    for folder in cmake_list(module_cmake, "DATA_FOLDERS"):
        if (ROOT / "Resources" / folder).is_dir():
            destination = tree / "Resources" / "DaTscanAI" / folder
            shutil.copytree(ROOT / "Resources" / folder, destination, ignore=shutil.ignore_patterns("*.py", "__*"))
    return tree


def test_the_core_runs_from_the_installed_tree(installed, tmp_path):
    code = (
        "import DaTscanAILib.base.resources as r, json; from DaTscanAILib.analysis import measure; "
        "from DaTscanAILib.reading.scan import read_scan; from DaTscanAILib.base.resources import resource_path; "
        "result = measure(read_scan(resource_path('Samples', 'reduced.dcm')), 'case').result; "
        "print(json.dumps([r.__file__, str(resource_path('Templates')), result['quantification']['lower_putamen']]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    library, templates, lower = json.loads(done.stdout)
    assert Path(library).is_relative_to(installed)
    assert Path(templates) == installed / "Resources" / "DaTscanAI" / "Templates"
    assert lower == "right"


def test_a_lost_resource_is_named(installed, tmp_path):
    code = "from DaTscanAILib.base.resources import resource_path; resource_path('Templates', 'lost.nii.gz')"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert "lacks its resource Templates/lost.nii.gz: install the extension again" in done.stderr


def test_no_build_script_is_packaged(installed):
    assert not list((installed / "Resources").rglob("*.py"))


# ---- imports


FORBIDDEN = ("torch", "monai", "matplotlib", "pandas", "nibabel", "PyTorchUtils")


def test_nothing_is_imported_or_installed_at_file_scope():
    """What Slicer does not bring is imported in functions; pip is called in one file, in a function."""
    for path in [*MODULE.glob("*.py"), *(MODULE / "DaTscanAILib" / "slicer_adapters").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        names = [
            alias.name
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
        ]
        assert not [name for name in names if name.split(".")[0] in FORBIDDEN], path
        calls = [ast.unparse(node.func) for statement in tree.body for node in _calls_at_file_scope(statement)]
        assert not [call for call in calls if "pip" in call or "install" in call.lower()], path


def _calls_at_file_scope(statement):
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return []
    return [node for node in ast.walk(statement) if isinstance(node, ast.Call)]


def test_only_the_adapters_import_slicer():
    for path in (MODULE / "DaTscanAILib").rglob("*.py"):
        if "slicer_adapters" not in path.parts:
            found = re.findall(r"^\s*(?:import|from) (slicer|qt|ctk|vtk)\b", path.read_text(), re.MULTILINE)
            assert not found, path


# ---- panel


def test_every_widget_that_the_code_names_is_in_the_panel():
    names = {name for name, *_ in widgets_of_ui()}
    files = [MODULE / "DaTscanAI.py", *(MODULE / "DaTscanAILib" / "slicer_adapters" / "panels").glob("*.py")]
    used = {name for path in files for name in re.findall(r"\bui\.([A-Za-z]\w+)", path.read_text())}
    used -= {"DaTscanAI"}
    assert used <= names
    assert len(used) > 30


def test_every_button_of_the_panel_is_connected():
    buttons = {name for name, kind, _ in widgets_of_ui() if kind == "QPushButton"}
    files = [MODULE / "DaTscanAI.py", *(MODULE / "DaTscanAILib" / "slicer_adapters" / "panels").glob("*.py")]
    text = "\n".join(path.read_text() for path in files)
    assert buttons == set(re.findall(r"ui\.(\w+Button)\.connect\(", text))


def test_bound_widgets_are_parameters_of_a_type_that_can_be_bound():
    """Types as Slicer's GUI connectors take them."""
    source = (MODULE / "DaTscanAILib" / "slicer_adapters" / "parameters.py").read_text()
    wrapper = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "DaTscanAIParameterNode"
    )
    kinds = {node.target.id: ast.unparse(node.annotation) for node in wrapper.body if isinstance(node, ast.AnnAssign)}
    takes = {
        "QCheckBox": r"bool",
        "QComboBox": r"Device|Content|Signs|Comparison|Map",
        "QDoubleSpinBox": r"Annotated\[float, WithinRange.*",
        "ctkSliderWidget": r"Annotated\[float, WithinRange.*",
        "qMRMLNodeComboBox": r"vtkMRML\w+",
    }
    bound = {}
    for widget in ElementTree.parse(UI).iter("widget"):
        for entry in widget.findall("property[@name='SlicerParameterName']"):
            assert entry.get("stdset") == "0"
            bound[entry[0].text] = widget
    assert len(bound) == 20
    for name, widget in bound.items():
        assert re.fullmatch(takes[widget.get("class")], kinds[name]), name


def test_ranges_of_sliders_are_those_of_the_parameters():
    source = (MODULE / "DaTscanAILib" / "slicer_adapters" / "parameters.py").read_text()
    ranges = {
        name: (float(low), float(high))
        for name, low, high in re.findall(r"(\w+): Annotated\[float, WithinRange\(([\d.]+), ([\d.]+)\)\]", source)
    }
    for widget in ElementTree.parse(UI).iter("widget"):
        name = widget.find("property[@name='SlicerParameterName']/string")
        if name is not None and name.text in ranges:
            limits = [float(widget.find(f"property[@name='{end}']")[0].text) for end in ("minimum", "maximum")]
            assert tuple(limits) == ranges[name.text], name.text


def test_scene_connections_name_widgets_that_take_a_scene():
    tree = ElementTree.parse(UI)
    kinds = {name: kind for name, kind, _ in widgets_of_ui()}
    receivers = {node.text for node in tree.iter("receiver")}
    scene_widgets = {name for name, kind in kinds.items() if kind == "qMRMLNodeComboBox"}
    assert receivers == scene_widgets
    custom = {node.text for node in tree.findall("customwidgets/customwidget/class")}
    assert {kind for kind in kinds.values() if kind.startswith(("ctk", "qMRML"))} == custom


def test_a_qt_loader_makes_every_widget_of_the_panel(tmp_path):
    """Qt's own loader, with stand-ins for the classes of CTK and Slicer."""
    pytest.importorskip("PySide6.QtUiTools", reason="PySide6-Essentials is not installed")
    code = (
        "import json, sys\n"
        "from PySide6 import QtUiTools, QtWidgets\n"
        "application = QtWidgets.QApplication([])\n"
        "loader = QtUiTools.QUiLoader()\n"
        "kinds = [type(kind, (getattr(QtWidgets, base),), {}) for kind, base in json.loads(sys.argv[2]).items()]\n"
        "for kind in kinds: loader.registerCustomWidget(kind)\n"
        "panel = loader.load(sys.argv[1])\n"
        "widgets = [panel, *panel.findChildren(QtWidgets.QWidget)]\n"
        "print(json.dumps({w.objectName(): type(w).__name__ for w in widgets}), flush=True)\n"
        "import os; os._exit(0)\n"  # the order in which Qt's objects go at the end is not the matter here
    )
    bases = {kind: "QWidget" for _, kind, _ in widgets_of_ui() if kind.startswith(("ctk", "qMRML"))}
    bases["qMRMLTableView"] = "QTableView"
    done = subprocess.run(
        [sys.executable, "-c", code, str(UI), json.dumps(bases)],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    for name, kind, _ in widgets_of_ui():
        assert loaded[name] == kind, name
