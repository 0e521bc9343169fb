"""Foreign weights are found before anything is loaded from them."""

import json
from pathlib import Path

import numpy as np
import pytest

from local.models import __main__ as command
from local.models import weights


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message says which file cannot be read."""
    with pytest.raises(weights.WrongWeights, match=r"model\.safetensors cannot be read"):
        weights.verify(tmp_path)


def test_a_changed_file_is_named_with_both_hashes(tmp_path: Path) -> None:
    """One other byte is enough."""
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(weights.WrongWeights, match=r"hashes to [0-9a-f]{64}, not to 53aa51172d14"):
        weights.verify(tmp_path)


def test_tensors_are_read_as_the_format_says(tmp_path: Path) -> None:
    """Floats come out in their shape; other types are left alone."""
    values = np.arange(6, dtype="<f4")
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "ids": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]},
            "table": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        }
    ).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + values.tobytes() + bytes(8))
    read = weights.tensors(path)
    assert list(read) == ["table"]
    assert np.array_equal(read["table"], values.reshape(2, 3))


def test_the_command_says_in_one_sentence_why_it_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong weights end the command, not a traceback."""
    monkeypatch.setattr(weights, "directory", lambda: tmp_path)
    monkeypatch.setattr("sys.argv", ["models", "--cache", str(tmp_path)])
    assert command.main() == 1
    assert capsys.readouterr().err.startswith("The local models cannot start: ")
