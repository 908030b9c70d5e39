"""Weights that torch has saved in its old form, read without torch as a map from names to arrays.

The file's pickles are only looked at, instruction by instruction: nothing that they name is imported or called.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import UnreadableFileError

_TYPES: Final = {"torch FloatStorage": np.float32, "torch LongStorage": np.int64}
_TENSOR: Final = "torch._utils _rebuild_tensor_v2"
_MAP: Final = "collections OrderedDict"
_MARK: Final = object()
_LITERALS: Final = frozenset("BINUNICODE SHORT_BINUNICODE BININT BININT1 BININT2 LONG1 GLOBAL".split())
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED: Final = frozenset("PROTO FRAME STOP".split())


class _Storage(NamedTuple):
    key: str
    kind: Any
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def load_torch_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file. Raises UnreadableFileError for one that holds anything else."""
    with path.open("rb") as file:
        for _ in range(3):  # a mark, a version, the machine
            _PickleScanner().scan(file)
        tensors: dict[str, _Tensor] = _PickleScanner().scan(file)
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        numbers: dict[str, NDArray[Any]] = {}
        for key in _PickleScanner().scan(file):
            file.read(8)  # the count of its numbers, which is known
            kind = np.dtype(storages[key].kind)
            numbers[key] = np.frombuffer(file.read(storages[key].length * kind.itemsize), kind)
    return {name: _build_array(tensor, numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def _build_array(tensor: _Tensor, numbers: NDArray[Any]) -> NDArray[Any]:
    own = numbers[tensor.offset :]
    strides = tuple(stride * own.itemsize for stride in tensor.strides)
    array: NDArray[Any] = np.ndarray(tensor.shape, own.dtype, own.tobytes(), strides=strides)
    return array


@dataclass(slots=True)
class _PickleScanner:
    """Follows the few instructions that write maps, lists, tuples, numbers, texts and tensors."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def scan(self, file: IO[bytes]) -> Any:
        """Return the value of the pickle that begins here."""
        for instruction, argument, _ in pickletools.genops(file):
            self._apply_instruction(instruction.name, argument)
        return self.stack.pop()

    def _apply_instruction(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name.startswith("EMPTY_"):
            self.stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[name])
        elif name not in _IGNORED:
            self._join_values(name)

    def _join_values(self, name: str) -> None:
        """Make one value of several on the stack."""
        if name == "TUPLE":
            self.stack.append(tuple(self._take_marked()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif name == "SETITEMS":
            values = self._take_marked()
            self.stack[-1].update(zip(values[::2], values[1::2], strict=True))
        elif name == "SETITEM":
            key, value = self.stack[-2:]
            self.stack[-2:] = []
            self.stack[-1][key] = value
        elif name == "APPENDS":
            values = self._take_marked()
            self.stack[-1].extend(values)
        elif name == "BINPERSID":
            _, kind, key, _, count, _ = self.stack.pop()
            self.stack.append(_Storage(key, _TYPES[kind], count))
        elif name == "REDUCE":
            arguments, called = self.stack.pop(), self.stack.pop()
            self.stack.append(_build_value(called, arguments))
        elif name == "BUILD":  # the attributes of a map, of which none is needed
            self.stack.pop()
        else:
            raise UnreadableFileError(f"weights must hold arrays alone, not {name}")

    def _take_marked(self) -> list[Any]:
        place = max(n for n, value in enumerate(self.stack) if value is _MARK)
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values


def _build_value(called: str, arguments: tuple[Any, ...]) -> Any:
    if called == _MAP:
        return {}
    if called == _TENSOR:
        return _Tensor(*arguments[:4])
    raise UnreadableFileError(f"weights must hold arrays alone, not {called}")
