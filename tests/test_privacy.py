"""The user's data stays private: modes of files, no network unless asked for, and no code of a read file is executed."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.conftest import PROJECT
from vecsearch.core.cache_folders import get_cache_folder
from vecsearch.encoders import model_files
from vecsearch.encoders.cross_encoder import SentenceTransformersCrossEncoder
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder

PACKAGE = PROJECT / "vecsearch"
MIGRATIONS = PROJECT / "migrations"


# -- modes

WORK = """
import json, os, sys
os.umask(int(sys.argv[1], 8))
import numpy as np
import vecsearch
from vecsearch.core.cache_folders import get_cache_folder
from vecsearch.encoders.file_hashes import write_atomically
from vecsearch.evaluation import cache, datasets

os.mkdir("docs")
for n in range(3):
    with open(f"docs/{n}.txt", "w") as file:
        file.write(f"a private note number {n}")
with vecsearch.open("place/db") as notes:
    notes.index(["docs"])
    notes.add(["harbour seals"] * 40, vectors=np.eye(384)[:40])
    notes.optimize()
    notes.update(notes.list_documents()[0].id, metadata={"seen": True})
    reader = vecsearch.open("place/db", readonly=True)
    reader.search("seals", mode="lexical")
    notes.delete(where={"seen": True})
    notes.optimize(full=True)
    with notes._store.open_writer("default") as writer:  # while a log, its index and a lock are there
        writer.set_metadata({notes.list_documents()[0].id: {"late": 1}})
        modes = {name: os.stat(os.path.join(at, name)).st_mode for at, _, names in os.walk("place/db") for name in names}
    reader.close()
with vecsearch.connect("place/db") as database:
    database.rename_collection("default", "other")
write_atomically(get_cache_folder("hashes") / "x.json", "{}")
print(json.dumps(modes))
"""

EVALUATE = """
import os, sys
os.umask(int(sys.argv[1], 8))
os.mkdir("set")
corpus = '{"_id": "1", "text": "a jump"}\\n{"_id": "2", "text": "a bank"}\\n'
files = {"corpus.jsonl": corpus, "queries.jsonl": '{"_id": "q", "text": "leap"}\\n'}
for name, text in {**files, "qrels.tsv": "query-id\\tcorpus-id\\tscore\\nq\\t1\\t1\\n"}.items():
    with open(f"set/{name}", "w") as file:
        file.write(text)
sys.argv = ["vecsearch", "eval", "set", "--mode", "dense", "--json", "-q"]
from vecsearch.__main__ import main
main()
"""


def run_child(code: str, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, text=True, capture_output=True, timeout=300, check=False,
        env={**environment, "PYTHONPATH": str(PROJECT), **(env or {})},
    )  # fmt: skip


def list_visible_to_others(folder: Path) -> list[str]:
    """List files and folders below, and the folder itself, that anyone but their owner may do anything with."""
    return sorted(
        f"{path.relative_to(folder.parent)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in (folder, *folder.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    )


@pytest.mark.parametrize("umask", ["000", "022"])
def test_a_database_is_its_owner_s_alone_whatever_the_umask(tmp_path: Path, umask: str) -> None:
    result = run_child(WORK, umask, cwd=tmp_path, env={"VECSEARCH_CACHE": str(get_cache_folder("x").parent)})
    assert result.returncode == 0, result.stderr
    during = {name: stat.S_IMODE(mode) for name, mode in json.loads(result.stdout).items()}
    assert {"vecsearch.db-wal", "vecsearch.db-shm", "write.lock", "write.owner.json"} <= during.keys()
    assert {name: oct(mode) for name, mode in during.items() if mode != 0o600} == {}
    assert list_visible_to_others(tmp_path / "place/db") == []


@pytest.mark.parametrize("umask", ["000", "022"])
def test_what_evaluation_keeps_is_its_owner_s_alone(tmp_path: Path, umask: str) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    (tmp_path / "cache/models").symlink_to(get_cache_folder("models"))  # prepared once, not for every test
    result = run_child(EVALUATE, umask, cwd=tmp_path, env={"VECSEARCH_CACHE": str(tmp_path / "cache")})
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["documents"] == 2
    assert list_visible_to_others(tmp_path / "cache/eval") == []


def test_a_cache_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    code = (
        "import os; os.umask(0)\nfrom vecsearch.encoders.model_files import *\n"
        "print(compute_fingerprint(find_model_folder(BUNDLED_MODEL)))"
    )
    result = run_child(code, cwd=tmp_path, env={"VECSEARCH_CACHE": str(tmp_path / "home/cache")})
    assert result.stdout.startswith("sha256:"), result.stderr
    assert any((tmp_path / "home/cache/models").iterdir())
    assert list_visible_to_others(tmp_path / "home/cache/models") == []


# -- the network

SILENCE = """
import json, os, socket, sys, traceback

def refuse(*arguments, **options):
    with open("asked.txt", "a") as file:
        file.write("".join(traceback.format_stack(limit=12)))
    raise OSError("no network in here")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = socket.gethostbyname = refuse

import vecsearch
from vecsearch.interfaces.cli.main import run

model = sys.argv[1] or None
with vecsearch.open("db", model=model) as notes:
    notes.index([sys.argv[2]])
    notes.add(["a jump over the fence"], ids=["note 1"])
    assert "note 1" in {hit.id for hit in notes.search("hop over a fence", limit=5)}
    notes.search("hop", rerank=True, explain=True)
    notes.similar(id="note 1")
    notes.context("hop")
    notes.optimize()
with vecsearch.connect("db", readonly=True) as database:
    assert database.models()[0]["available"]
    assert database.check() == []
with open("qrels.tsv", "w") as file:
    file.write("query-id\\tcorpus-id\\tscore\\nq\\t1\\t1\\n")
with open("corpus.jsonl", "w") as file:
    file.write('{"_id": "1", "text": "a jump"}\\n')
with open("queries.jsonl", "w") as file:
    file.write('{"_id": "q", "text": "leap"}\\n')
sys.argv = ["vecsearch", "eval", ".", "-q"] + (["--model", model] if model else [])
assert run() == 0
if model:  # by what the lean runtime is prepared from, too
    from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder
    SentenceTransformersEncoder(model).encode_documents(["a jump"])
"""


@pytest.mark.parametrize("model", ["default", "folder"])
def test_no_network_is_asked_for_anything(tmp_path: Path, model: str) -> None:
    """Neither by us nor by what we load; only a hub's name may do that."""
    folder = copy_model(tmp_path / "model") if model == "folder" else ""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/models").symlink_to(get_cache_folder("models"))  # prepared once, not for every test
    caches = {"VECSEARCH_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "hub")}
    result = run_child(SILENCE, str(folder), str(PROJECT / "sample_data/words.jsonl"), cwd=tmp_path, env=caches)
    requests_file = tmp_path / "asked.txt"
    assert not requests_file.exists(), requests_file.read_text()
    assert result.returncode == 0, result.stderr


def test_a_hub_s_name_asks_the_hub_and_is_told_when_it_is_out_of_reach(tmp_path: Path) -> None:
    code = SILENCE.partition("model = ")[0] + (
        "try:\n    vecsearch.open('db', model='nobody/nothing')\nexcept vecsearch.UnavailableError as error:\n    print(error)"
    )
    result = run_child(code, cwd=tmp_path, env={"HF_HOME": str(tmp_path / "hub")})
    assert "cannot load the model 'nobody/nothing'" in result.stdout, result.stderr
    assert (tmp_path / "asked.txt").exists(), "the test would not notice who asks"
    assert not (tmp_path / "db").exists()


def test_onnx_runtime_is_never_imported_but_where_its_telemetry_is_turned_off() -> None:
    paths = {
        path.relative_to(PACKAGE).as_posix() for path, tree in iterate_sources(PACKAGE) if "onnxruntime" in list_imports(tree)
    }
    assert paths <= {"core/onnx_runtime.py", "encoders/quantization.py", "encoders/torch_source.py"}
    for name in paths - {"core/onnx_runtime.py"}:
        assert "load_runtime()" in (PACKAGE / name).read_text()


# -- nothing is executed


def iterate_sources(*folders: Path) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def list_imports(tree: ast.AST) -> set[str]:
    """List the top-level names of the packages that a module imports, in whatever way."""
    packages: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                packages |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module)):
                packages.add(module.partition(".")[0])
            case ast.Call(func=ast.Name("import_module" | "__import__"), args=[ast.Constant(str(name)), *_]):
                packages.add(name.partition(".")[0])
    return packages


EXECUTING = {"eval", "exec", "compile", "__import__"}


def test_nothing_unpickles_or_evaluates() -> None:
    pickling = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "runpy", "yaml"}
    for path, tree in iterate_sources(PACKAGE, MIGRATIONS):
        assert not list_imports(tree) & pickling, path
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(name)):
                    assert name not in EXECUTING, f"{path}:{node.lineno}"
                case ast.Call(func=ast.Attribute(value=ast.Name("torch" | "np" | "numpy"), attr="load")):
                    raise AssertionError(f"{path}:{node.lineno}")
                case ast.keyword(arg="allow_pickle" | "shell"):
                    raise AssertionError(f"{path}:{node.value.lineno}")
                case ast.keyword(arg="trust_remote_code", value=value):
                    assert isinstance(value, ast.Constant) and value.value is False


def test_modules_are_imported_by_constant_names_alone() -> None:
    """But for a few, which stand in tables or behind a constant."""
    computed = {
        f"{path.relative_to(PACKAGE).as_posix()}: {ast.unparse(node.args[0])}"
        for path, tree in iterate_sources(PACKAGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "import_optional"))
        if not isinstance(node.args[0], ast.Constant)
    }
    assert computed <= {
        "documents/loaders/__init__.py: f'{__name__}.{module}'",
        "documents/loaders/media/__init__.py: f'{__name__}.{module}'",
        "__init__.py: _HOME_OF[name]",
        "interfaces/cli/command_group.py: f'vecsearch.interfaces.cli.{self._module}'",
        "core/optional_packages.py: module",  # itself of constant names: its callers are looked at too
        "core/optional_packages.py: package",
        "exchange/parquet.py: f'pyarrow.{part}' if part else 'pyarrow'",
    }


# -- SQL

# What stands in SQL that is written as text: names of our own tables and PRAGMAs, integers, a quoted path. All else is bound.
HOLES = {
    "stores/sqlite/backup/backup_file.py": {"name", "_CHECKPOINT_WAIT_MS"},
    "stores/sqlite/engine/collections.py": {
        "', '.join(_COLUMN_NAMES)", "CollectionRole.LIVE", "CollectionRole.REPLACED",
    },
    "stores/sqlite/engine/creation.py": {"APPLICATION_ID"},
    "stores/sqlite/engine/database_folder.py": {
        "name", "quoted", "_BUSY_TIMEOUT.format(WAL_CHECKPOINT_WAIT_MS)",
        "_BUSY_TIMEOUT.format(self.timeout * 1000)", "_CHECKPOINT_WAL", "statement",
    },
    "stores/sqlite/engine/migration.py": {"-SCHEMA_VERSION if waiting else SCHEMA_VERSION"},
    "stores/sqlite/filters/filter_sql.py": {
        "_join_all(tests)", "among", "first", "joined", "query", "self._bind(key)", "self._hold(test_stored, column.sql)",
        "self._scanned", "tests",
    },
    "stores/sqlite/integrity/schema_checks.py": {"_MESSAGES_MAX"},
    "stores/sqlite/filters/matching.py": {"query.text"},  # which filter_sql made
    "stores/sqlite/read/answer_statements.py": {"CHUNK_TEXT"},
    "versions/0006_postings.py": {"name"},
}  # fmt: skip
TAKING_SQL = {"exec_driver_sql", "run_outside_transaction", "text", "executescript", "literal_column", "execute", "executemany"}


BEGINNINGS = ("SELECT ", "WITH ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "DROP ", "PRAGMA ", "VACUUM ")


def test_sql_is_written_by_sqlalchemy_or_of_constants_with_bound_values() -> None:
    """Where it is text, every part of it is a constant, or stands in the list above; the list holds nothing that is gone."""
    holes_by_file: dict[str, set[str]] = {}
    for folder in (PACKAGE, MIGRATIONS):
        for path, tree in iterate_sources(folder):
            name = path.relative_to(folder).as_posix()
            texts = [argument for node in ast.walk(tree) for argument in find_sql_texts(path, node)]
            assert not texts or name.startswith(("stores/sqlite/", "versions/")), f"{path}: {ast.unparse(texts[0])}"
            if holes := {ast.unparse(hole) for text in texts for hole in find_holes(text)}:
                holes_by_file[name] = holes
    assert {name: holes - HOLES.get(name, set()) for name, holes in holes_by_file.items() if holes - HOLES.get(name, set())} == {}
    assert {
        name: holes - holes_by_file.get(name, set()) for name, holes in HOLES.items() if holes - holes_by_file.get(name, set())
    } == {}


def get_called_name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""


def find_sql_texts(path: Path, node: ast.AST) -> list[ast.expr]:
    """Find what is SQL: text that begins so, and the arguments of calls that take text, or expressions and text too."""
    if isinstance(node, ast.JoinedStr) and ast.unparse(node).lstrip("f\"' \\n").startswith(BEGINNINGS):
        return [node]
    if not isinstance(node, ast.Call) or get_called_name(node) not in TAKING_SQL:
        return []
    if (
        get_called_name(node) == "text"
        and "from sqlalchemy import text" not in path.read_text()
        and "sa.text" not in ast.unparse(node)
    ):
        return []  # a common name
    if get_called_name(node) in ("execute", "executemany"):
        return [argument for argument in node.args[:1] if isinstance(argument, ast.Constant | ast.JoinedStr | ast.BinOp)]
    return [*node.args]


def find_holes(argument: ast.expr) -> list[ast.expr]:
    """Find what is put into a text."""
    match argument:
        case ast.Constant():
            return []
        case ast.JoinedStr(values=parts):
            return [hole for part in parts for hole in find_holes(part)]
        case ast.FormattedValue(value=value):
            return [value]
        case ast.IfExp(body=body, orelse=other):
            return find_holes(body) + find_holes(other)
        case ast.Starred(value=inner):
            return find_holes(inner)
    return [argument]


# -- models


def copy_model(folder: Path) -> Path:
    """Copy the default model's files as a folder of the user's, weights linked."""
    source = model_files.find_model_folder(model_files.BUNDLED_MODEL)

    def copy(original: str, target: str) -> None:
        if original.endswith(".safetensors"):
            Path(target).symlink_to(original)
        else:
            shutil.copy(original, target)

    shutil.copytree(source, folder, copy_function=copy)
    return folder


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


CODE = "from pathlib import Path\nPath({marker!r}).touch()\nfrom sentence_transformers.models import Pooling as Evil\n"


def add_own_module(folder: Path, marker: Path) -> None:
    (folder / "evil.py").write_text(CODE.format(marker=str(marker)))
    change_json(
        folder / "modules.json",
        lambda modules: [{**module, "type": "evil.Evil"} if module["idx"] else module for module in modules],
    )


def add_module_on_path(folder: Path, marker: Path) -> None:
    add_own_module(folder, marker)
    sys.path.insert(0, str(folder))  # as where a folder is indexed and worked in


def set_own_architecture(folder: Path, marker: Path) -> None:
    code = (
        f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
        "from transformers import BertConfig, BertModel\nclass EvilConfig(BertConfig):\n    model_type = 'evil'\n"
        "class EvilModel(BertModel):\n    config_class = EvilConfig\n"
    )
    (folder / "evil.py").write_text(code)
    maps = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"}
    change_json(folder / "config.json", lambda config: {**config, "model_type": "evil", "auto_map": maps})


def route_to_own_module(folder: Path, marker: Path) -> None:
    add_own_module(folder, marker)
    router = {"types": {"query_0_Evil": "evil.Evil"}, "structure": {"query": ["query_0_Evil"]}, "parameters": {}}
    (folder / "router_config.json").write_text(json.dumps(router))
    change_json(
        folder / "modules.json", lambda modules: [{**modules[0], "type": "sentence_transformers.models.Router", "path": ""}]
    )


@pytest.mark.parametrize(
    "plant", [add_own_module, add_module_on_path, set_own_architecture, route_to_own_module],
    ids=lambda plant: plant.__name__,
)  # fmt: skip
def test_code_that_comes_with_a_model_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[..., None]
) -> None:
    folder, marker = copy_model(tmp_path / "model"), tmp_path / "executed"
    monkeypatch.setattr(sys, "path", [*sys.path])
    plant(folder, marker)
    with pytest.raises(vecsearch.UnavailableError, match="vecsearch runs no code that comes with a model"):
        SentenceTransformersEncoder(str(folder)).encode_documents(["x"])
    with pytest.raises(vecsearch.UnavailableError, match="runs no code that comes with a model"):
        SentenceTransformersCrossEncoder(str(folder)).scores("x", ["y"])
    with pytest.raises(vecsearch.UnavailableError, match="runs no code that comes with a model"):
        vecsearch.open(tmp_path / "db", model=str(folder)).add(["x"])
    assert not marker.exists()


PICKLE = """
import os, pickle, sys
class Evil:
    def __reduce__(self):
        return os.system, (f"touch {sys.argv[2]}",)
with open(sys.argv[1], "wb") as file:
    pickle.dump(Evil(), file)
"""


@pytest.mark.parametrize("zipped", [False, True])
def test_pickled_weights_are_read_as_numbers_or_refused(tmp_path: Path, zipped: bool) -> None:
    folder, marker = copy_model(tmp_path / "model"), tmp_path / "executed"
    (folder / "model.safetensors").unlink()
    weights = folder / "pytorch_model.bin"
    pickled = PICKLE
    if zipped:  # the form that torch writes today
        pickled = PICKLE.replace("import os,", "import torch, os,").replace(
            "pickle.dump(Evil(), file)", "torch.save(Evil(), file)"
        )
    assert run_child(pickled, str(weights), str(marker), cwd=tmp_path).returncode == 0
    with pytest.raises(vecsearch.UnavailableError, match="cannot be loaded from"):
        SentenceTransformersEncoder(str(folder)).encode_documents(["x"])
    with pytest.raises(vecsearch.UnavailableError, match="cannot be loaded from"):
        SentenceTransformersCrossEncoder(str(folder)).scores("x", ["y"])
    assert not marker.exists()


def test_honest_weights_in_the_old_form_still_serve(tmp_path: Path, encoder: vecsearch.encoders.base.TextEncoder) -> None:
    folder = copy_model(tmp_path / "model")
    code = (
        "import sys, torch\nfrom safetensors.torch import load_file\n"
        "torch.save(load_file(f'{sys.argv[1]}/model.safetensors'), f'{sys.argv[1]}/pytorch_model.bin')"
    )
    assert run_child(code, str(folder), cwd=tmp_path).returncode == 0
    (folder / "model.safetensors").unlink()
    rows = SentenceTransformersEncoder(str(folder)).encode_documents(["a jump"])
    assert float((rows * encoder.encode_documents(["a jump"])).sum()) > 0.98


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("modules.json", "[" * 100_000),
        ("modules.json", "{"),
        ("modules.json", "7"),
        ("config.json", "[]"),
        ("tokenizer.json", "{}"),
    ],
)
def test_a_model_s_broken_files_are_said_to_be(tmp_path: Path, name: str, text: str) -> None:
    folder = copy_model(tmp_path / "model")
    (folder / name).write_text(text)
    with pytest.raises(vecsearch.UnavailableError, match="cannot be loaded"):
        SentenceTransformersEncoder(str(folder)).encode_documents(["x"])
