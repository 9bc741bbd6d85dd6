"""The container's recipe without a container: its own steps in an empty folder, its entry points run as nobody."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import dicom_factory as factory
import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "Resources" / "Deployment" / "Containerfile"
SAMPLE = ROOT / "Resources" / "Samples" / "reduced.dcm"
NOBODY = 65534
pytestmark = pytest.mark.skipif(os.name != "posix", reason="containers run on Linux")


def stages():
    """`{stage: (base, [(instruction, argument), ...])}` in the order of the recipe."""
    text = re.sub(r"\\\n", " ", RECIPE.read_text())
    found, current = {}, None
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, argument = line.split(None, 1)
        if instruction == "FROM":
            base, _, name = argument.split()
            found[name] = (base, current := [])
        else:
            current.append((instruction, argument))
    return found


def steps_of(target):
    """All instructions that lead to a stage, those of the stages that it copies from too."""
    base, own = stages()[target]
    copied = [
        word.split("=")[1] for kind, words in own if kind == "COPY" for word in words.split() if "--from" in word
    ]
    before = [step for name in (*copied, base) if name in stages() for step in steps_of(name)]
    return [*before, *own]


def build(target, root):
    """Do what the recipe says below a folder; gives the environment and the entry point."""
    environment, entry = {"PATH": os.environ["PATH"]}, []
    for kind, argument in steps_of(target):
        if kind == "COPY" and "--from=" not in argument:
            *sources, place = argument.split()
            copy(sources, root / place.lstrip("/"), place.endswith("/"))
        elif kind == "RUN":
            run_step(argument.replace("/opt/", f"{root}/opt/"), root)
        elif kind == "ENV":
            environment |= dict(pair.split("=", 1) for pair in shlex.split(argument.replace("/opt/", f"{root}/opt/")))
        elif kind == "ENTRYPOINT":
            entry = json.loads(argument.replace("/opt/", f"{root}/opt/"))
    return environment, entry


def copy(sources, place, into_folder):
    place = place if not into_folder else place / "x"
    place.parent.mkdir(parents=True, exist_ok=True)
    for source in sources:
        path = ROOT / source
        if path.is_dir():
            shutil.copytree(path, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, place.parent / path.name if into_folder else place)


def run_step(command, root):
    """Packages are taken from this environment, if they are those of the lock file: there may be no network."""
    if " pip install " not in command:
        subprocess.run(command.replace("python ", f"{sys.executable} ", 1), shell=True, check=True)
        return
    lock = Path(re.search(r"-r (\S+)", command)[1])
    wanted = dict(line.split("==") for line in lock.read_text().splitlines() if "==" in line)
    assert {name: version(name).split("+")[0] for name in wanted} == wanted
    packages = next((root / "opt" / "datscanai" / "venv" / "lib").glob("python3*")) / "site-packages"
    (packages / "packages.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))


@pytest.fixture(scope="module")
def built():
    """Both targets in one folder that other users may read."""
    with tempfile.TemporaryDirectory(prefix="datscanai-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        environment, command_line = build("command-line", root)
        mercure = [word.replace("/opt/", f"{root}/opt/") for word in json.loads(entry_of("mercure"))]
        yield root, environment, command_line, mercure


def entry_of(target):
    return next(argument for kind, argument in steps_of(target) if kind == "ENTRYPOINT")


def others_may_run_python():
    """Whether the interpreter does not lie in somebody's home."""
    return all(path.stat().st_mode & 0o001 for path in Path(sys.executable).resolve().parents)


def cut_off(root):
    """A prefix that runs a command without a network, the software read-only, as nobody; as far as it may."""
    if os.getuid() != 0:
        return []
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    apart = ["unshare", "--net", "--mount", "sh", "-c", mount, str(root / "opt")]
    alone = shutil.which("unshare") and subprocess.run([*apart, "true"], capture_output=True).returncode == 0
    nobody = (
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if others_may_run_python() else []
    )
    return [*(apart if alone else []), *nobody]


def run_as_nobody(command, environment, root):
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o777)
    environment = {**environment, "HOME": str(root / "tmp"), "TMPDIR": str(root / "tmp")}
    return subprocess.run(
        [*cut_off(root), *command], env=environment, cwd=root / "tmp", capture_output=True, text=True, timeout=600
    )


def fingerprint(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def writable(folder):
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_the_command_line_analyzes_a_scan_as_nobody_and_changes_nothing_of_itself(built):
    root, environment, entry, _ = built
    before, output = fingerprint(root / "opt"), writable(root / "out")
    shutil.copy(SAMPLE, root / "scan.dcm")
    done = run_as_nobody(
        [*entry, "analyze", root / "scan.dcm", "--output", output, "--device", "cpu"], environment, root
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((output / "scan" / "result.json").read_text())
    assert result["classification"]["label"] == "reduced"
    assert (output / "scan" / "report.pdf").stat().st_size > 1000
    assert fingerprint(root / "opt") == before
    assert list((root / "tmp").iterdir()) == []


def test_every_command_is_there(built):
    root, environment, entry, _ = built
    done = run_as_nobody([*entry, "--help"], environment, root)
    assert done.returncode == 0
    assert {"analyze", "watch", "listen", "mercure"} <= set(done.stdout.split())


def test_a_task_of_mercure(built):
    """Files named by their identifiers in, DICOM and result.json out, a sentence for people, exit status."""
    root, environment, _, entry = built
    incoming, outgoing = writable(root / "in"), writable(root / "mercure-out")
    shutil.copy(SAMPLE, incoming / "1.2.3#1.2.3.4.dcm")
    task = {
        "process": {"module_name": "datscanai", "settings": {"device": "cpu", "other": 1}},
        "info": {"mrn": "4711"},
    }
    (incoming / "task.json").write_text(json.dumps(task))
    folders = {"MERCURE_IN_DIR": str(incoming), "MERCURE_OUT_DIR": str(outgoing)}
    done = run_as_nobody(entry, environment | folders, root)
    assert done.returncode == 0, done.stderr
    result = json.loads((outgoing / "result.json").read_text())
    assert result["scans"][0]["classification"]["label"] == "reduced"
    assert result["__mercure_notification"] == {
        "text": "scan1: reduced\nResearch use only. Not a medical device.",
        "requested": False,
    }
    # As a number of its own: the digits may well stand inside another one.
    assert not re.search(r"(?<!\d)4711(?!\d)", (outgoing / "result.json").read_text())
    assert {path.suffix for path in outgoing.iterdir()} <= {".json", ".dcm"}


def test_a_task_of_mercure_without_a_scan_fails_with_a_sentence(built):
    root, environment, _, entry = built
    incoming, outgoing = writable(root / "in2"), writable(root / "mercure-out2")
    factory.save(factory.nm_dataset(modality="CT"), incoming / "1.2#3.dcm")
    folders = {"MERCURE_IN_DIR": str(incoming), "MERCURE_OUT_DIR": str(outgoing)}
    done = run_as_nobody(entry, environment | folders, root)
    assert done.returncode == 1
    notification = json.loads((outgoing / "result.json").read_text())["__mercure_notification"]
    assert notification["requested"] is True
    assert "is a CT image, not SPECT" in notification["text"]
    assert run_as_nobody(entry, environment, root).returncode == 2


def test_the_recipe_runs_as_another_user_than_root_and_opens_nothing():
    for target in ("command-line", "mercure"):
        kinds = dict(steps_of(target))
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", kinds["USER"])
        assert not {"EXPOSE", "ADD", "VOLUME"} & set(kinds)
        assert kinds["STOPSIGNAL"] == "SIGTERM"
    assert list(stages())[-1] == "command-line"  # what a build without a target makes
