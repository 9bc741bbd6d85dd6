"""Weights on disk: the safetensors format, read without pickle and without a copy.

The format (github.com/huggingface/safetensors) is an 8-byte little-endian length, a JSON header that gives each
tensor's type, shape and place, and the raw values. The package `safetensors` reads the same files; it is not used
here because Slicer does not bring it, and analysis must need nothing but torch.
"""

import hashlib
import json
import math
import mmap
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes

_TYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I64": np.int64}
_LARGEST_HEADER = 2**20


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_weights(path: Path, state: dict) -> None:
    """Write a state dictionary of tensors; the same values give the same bytes."""
    header, chunks, offset = {}, [], 0
    for name, tensor in state.items():
        array = np.asarray(tensor.detach().cpu().numpy(), order="C")  # keeps scalars scalars
        kind = next((key for key, dtype in _TYPES.items() if array.dtype == dtype), None)
        if kind is None:
            raise ValueError(f"{name}: cannot store values of type {array.dtype}")
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        chunks.append(array.tobytes())
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    atomic_write_bytes(path, len(text).to_bytes(8, "little") + text + b"".join(chunks))


def read_weights(path: Path) -> dict:
    """A state dictionary whose tensors are views of the memory-mapped file (copied only when written to).

    Raises:
        DaTscanError: missing, truncated, or not a safetensors file.
    """
    import torch

    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise DaTscanError(f"{path.name}: the weights cannot be read: install the model again.") from error
    header, start = _read_header(path, content)
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, (first, last) = _TYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        count = math.prod(shape)
        if first < 0 or last - first != count * np.dtype(dtype).itemsize or start + last > len(content):
            raise DaTscanError(f"{path.name}: the weights are truncated or damaged: install the model again.")
        state[name] = torch.from_numpy(np.frombuffer(content, dtype, count, start + first).reshape(shape))
    return state


def _read_header(path, content):
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(_LARGEST_HEADER, len(content) - 8):
        raise DaTscanError(f"{path.name}: this is not a safetensors file: choose a model folder of DaTscanAI.")
    try:
        header = json.loads(content[8 : 8 + length])
        if not all(
            name == "__metadata__"
            or (
                entry["dtype"] in _TYPES
                and len(entry["data_offsets"]) == 2
                and all(isinstance(n, int) and n >= 0 for n in [*entry["shape"], *entry["data_offsets"]])
            )
            for name, entry in header.items()
        ):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DaTscanError(f"{path.name}: the header of the weights is damaged: install the model again.") from error
    return header, 8 + length
