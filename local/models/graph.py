"""Turn the MiniLM weights into an ONNX graph: `python -m local.models.graph WEIGHTS_DIR FILE`.

Reads the weights, writes one file by an atomic rename. It runs as a process of its own, so that
the server never holds the builder's memory.
"""

import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from local.models import weights

_OPSET = 20
_IR_VERSION = 10
_MASKED = -1e9


class _Graph:
    """Nodes and constants in the order of computation; each method returns a value's name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """Add a constant; scalars keep their rank of zero."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: float | list[int]) -> str:
        """Add a node of one output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def integers(self, *values: int) -> str:
        """Add a vector of integers, as shapes and axes are given."""
        return self.constant(np.array(values, dtype=np.int64))


class _Encoder:
    """The parts of a BERT encoder, written with the tensors of one set of weights."""

    def __init__(self, folder: Path) -> None:
        self.graph = _Graph()
        self.tensors = weights.tensors(folder / "model.safetensors")
        settings = weights.config(folder)
        self.heads: int = settings["num_attention_heads"]
        self.width: int = settings["hidden_size"]
        self.layers: int = settings["num_hidden_layers"]
        self.epsilon: float = settings["layer_norm_eps"]
        self.split = self.graph.integers(0, 0, self.heads, self.width // self.heads)
        self.join = self.graph.integers(0, 0, self.width)

    def tensor(self, name: str) -> str:
        """Add a tensor of the weights as it is."""
        return self.graph.constant(self.tensors[name])

    def linear(self, value: str, name: str, scale: float = 1.0) -> str:
        """Multiply by the weight matrix and add the bias, both times `scale`."""
        weight: NDArray[np.float32] = self.tensors[f"{name}.weight"].T * np.float32(scale)
        bias: NDArray[np.float32] = self.tensors[f"{name}.bias"] * np.float32(scale)
        product = self.graph.add("MatMul", value, self.graph.constant(weight))
        return self.graph.add("Add", product, self.graph.constant(bias))

    def norm(self, value: str, name: str) -> str:
        """Normalise each token's vector."""
        scale, bias = self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")
        return self.graph.add(
            "LayerNormalization", value, scale, bias, axis=-1, epsilon=self.epsilon
        )

    def embed(self) -> str:
        """Look up words, add positions and the one segment's vector."""
        add, integers = self.graph.add, self.graph.integers
        words = add("Gather", self.tensor("embeddings.word_embeddings.weight"), "input_ids")
        length = add("Shape", "input_ids", start=1, end=2)
        table = self.tensor("embeddings.position_embeddings.weight")
        positions = add("Slice", table, integers(0), length, integers(0))
        segment = self.graph.constant(self.tensors["embeddings.token_type_embeddings.weight"][0])
        return self.norm(add("Add", add("Add", words, positions), segment), "embeddings.LayerNorm")

    def attend(self, value: str, bias: str, name: str) -> str:
        """Let each token look at the others, by heads; the query carries the scale."""
        add = self.graph.add

        def by_heads(part: str, order: list[int], scale: float = 1.0) -> str:
            projected = self.linear(value, f"{name}.self.{part}", scale)
            return add("Transpose", add("Reshape", projected, self.split), perm=order)

        query = by_heads("query", [0, 2, 1, 3], 1 / math.sqrt(self.width // self.heads))
        key, content = by_heads("key", [0, 2, 3, 1]), by_heads("value", [0, 2, 1, 3])
        shares = add("Softmax", add("Add", add("MatMul", query, key), bias), axis=-1)
        mixed = add("Transpose", add("MatMul", shares, content), perm=[0, 2, 1, 3])
        return self.linear(add("Reshape", mixed, self.join), f"{name}.output.dense")

    def layer(self, value: str, bias: str, number: int) -> str:
        """One layer: attention and a feed-forward net, each added to its input and normalised."""
        name, add = f"encoder.layer.{number}", self.graph.add
        attended = add("Add", value, self.attend(value, bias, f"{name}.attention"))
        value = self.norm(attended, f"{name}.attention.output.LayerNorm")
        inner = add("Gelu", self.linear(value, f"{name}.intermediate.dense"))
        outer = add("Add", value, self.linear(inner, f"{name}.output.dense"))
        return self.norm(outer, f"{name}.output.LayerNorm")

    def pool(self, value: str, mask: str) -> str:
        """Take the mean over the tokens that are not padding, and make its length one."""
        add, integers = self.graph.add, self.graph.integers
        column, tokens = add("Unsqueeze", mask, integers(2)), integers(1)
        total = add("ReduceSum", add("Mul", value, column), tokens, keepdims=0)
        mean = add("Div", total, add("ReduceSum", column, tokens, keepdims=0))
        norm = add("ReduceL2", mean, integers(1), keepdims=1)
        return add("Div", mean, norm)


def build(folder: Path) -> bytes:
    """Return the serialised graph: `input_ids` and `attention_mask` (batch, tokens) to `embedding`.

    The embedding is mean-pooled and of unit length: (batch, hidden size), float32.
    """
    encoder = _Encoder(folder)
    add, graph = encoder.graph.add, encoder.graph
    mask = add("Cast", "attention_mask", to=TensorProto.FLOAT)
    absent = add("Sub", graph.constant(np.float32(1)), add("Unsqueeze", mask, graph.integers(1, 2)))
    bias = add("Mul", absent, graph.constant(np.float32(_MASKED)))
    value = encoder.embed()
    for number in range(encoder.layers):
        value = encoder.layer(value, bias, number)
    graph.nodes.append(helper.make_node("Identity", [encoder.pool(value, mask)], ["embedding"]))
    shape = ["batch", "tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", encoder.width])
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "minilm", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def write(folder: Path, destination: Path) -> None:
    """Build the graph and move it into place whole, so that no reader ever sees half of it."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=destination.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(build(folder))
        Path(name).replace(destination)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
