"""Where the extension's data lies: in the source tree and, after installation, beside the modules of Slicer."""

from pathlib import Path


def resource_path(*parts: str) -> Path:
    """Path of a file or folder of the top-level `Resources/` folder.

    In the source tree the library is `DaTscanAI/DaTscanAILib` and the folder `Resources`, two levels up. Installed,
    CMake has copied it to `qt-scripted-modules/Resources/DaTscanAI`, a sibling of `qt-scripted-modules/DaTscanAILib`.

    Raises:
        FileNotFoundError: neither place has it; the installation is incomplete.
    """
    library = Path(__file__).resolve().parents[1]
    for root in (library.parent.parent / "Resources", library.parent / "Resources" / "DaTscanAI"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    message = f"The DaTscanAI installation lacks its resource {'/'.join(parts)}: install the extension again."
    raise FileNotFoundError(message)
