"""The networks that read: found in the `rapidocr` wheel, checked by hash, opened.

Reads the model files of the installed wheel, once per process. The wheel's own code is never
imported: only its weights are used (PP-OCRv6 small and PP-OCR mobile v2's classifier, Apache-2.0).
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

_CONFIG_SPINNING = "session.intra_op.allow_spinning"
_SILENT = 4


@dataclass(frozen=True, slots=True)
class Model:
    """A file of weights and the SHA-256 that it must have."""

    file_name: str
    sha256: str


DETECTOR = Model(
    "PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
)
RECOGNISER = Model(
    "PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
)
TURN_TELLER = Model(
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
)
_ALL = (DETECTOR, RECOGNISER, TURN_TELLER)


class WrongModel(Exception):
    """The installed weights are not the pinned ones; installing the locked version mends it."""


def folder() -> Path | None:
    """Return the folder of the wheel that holds the files, or None where it is not installed."""
    spec = importlib.util.find_spec("rapidocr")
    for place in (spec.submodule_search_locations if spec else None) or ():
        models = Path(place) / "models"
        if all((models / model.file_name).is_file() for model in _ALL):
            return models
    return None


def open_session(models: Path, model: Model, threads: int) -> ort.InferenceSession:
    """Return the network `model` of the folder `models`, running on `threads` threads.

    Raises:
        WrongModel: the file's hash is not the pinned one.
    """
    weights = (models / model.file_name).read_bytes()
    found = hashlib.sha256(weights).hexdigest()
    if found != model.sha256:
        raise WrongModel(
            f"{model.file_name} has SHA-256 {found} instead of {model.sha256};"
            " install the locked version of rapidocr again."
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    # Threads that spin while they wait take the core from the other workers of the machine.
    options.add_session_config_entry(_CONFIG_SPINNING, "0")
    # The arena keeps the memory of the largest page for ever; pages differ much in size.
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
