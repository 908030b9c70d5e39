"""Names follow the rules of CONTRIBUTING.md: functions begin with a verb, classes are nouns, one word has one meaning."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import PROJECT

VERBS = frozenset(
    """
    abandon absorb accept acquire add adjust advance align allocate analyze announce answer append apply ask assemble assign
    attach attribute back begin bind blank bound break build bump calibrate call can cancel change check checkpoint choose
    chunk claim classify clean clear clip close coerce collapse collect commit compact compare compile complete compress
    compute configure confirm connect consume convert copy correct correlate count cover create cut decode decompress decrypt
    define delete derive describe detect determine display dispose diversify divide downgrade download draw drop dump echo
    embed emit empty enable encode end ensure enter escape estimate evaluate examine exchange exclude execute exit expand
    expect explain export extend extract fail feed fetch fill filter find finish fit flag flatten flush fold follow forget
    fork format forward free from fuse gather generate get give group guard guess handle has hash have hide hold identify
    ignore import increase index infer inflate inherit init insert inspect interpolate interrupt intersect is iter iterate
    join judge keep kill label launch learn leave like limit link list listen load locate lock log look lookup make map mark
    mask match matches measure merge migrate mix move name negate next normalize note notify number observe obtain offer omit
    open optimize order pack pad page pair parse pass patch pause personalize pick place plan point pool pop prefer prepare
    preserve print process profile prompt prove prune publish pull pump push put quantize query queue quiet quote raise rank
    rate reach read rebuild receive rechunk recommend record recover redirect reduce reembed reencode refit refresh refuse
    register rehearse release reload remake remember remove rename render renew reorder repair repeat replace report request
    require rerank rescore reserve reset resolve restore restrict resume retrieve return reuse rewrite roll rollback round run
    sample save scale scan schedule score search seek segment select send separate serialize serve set shade shorten should
    show sign silence simulate skip sleep slice smooth snapshot sort spawn spell split spool spread standardize start stem
    step stop store stretch strip style submit subtract sum summarize supersede swap sync take tell terminate test tidy time
    to tokenize touch trace track train transform translate treat trim truncate try tune turn unify unlike unlink unpack
    unquote unwrap update upgrade upsert use validate verify visit wait walk warm warn watch weigh widen work wrap write yield
    """.split()
)
QUESTIONS = frozenset("is has can should needs are".split())  # a boolean's first word
CONVERSIONS = frozenset({"from", "to"})
NOUNS = {  # formulas, what every user of such a library calls so, protocols of other libraries, entry points
    "at", "backup", "batched", "collection", "collections", "context", "cursor", "dense_weight", "exists", "facets", "idf",
    "keys", "main", "mean", "min_max", "models", "ndcg", "median", "progress", "recall", "reciprocal_rank", "reciprocal_ranks",
    "roots", "scores", "similar", "status", "theoretical_min_max", "token_spans", "under_heading", "z_score", "onnx", "torch",
     "repr_html", "repr_markdown", "shell_complete", "senses", "same_sense", "on_train_begin", "on_step_end",
    "token_starts",
}  # fmt: skip
IRREGULAR = frozenset(  # participles that do not end in -ed or -ing; "set", "cut", "put" and the like are verbs too
    "asked begun bound broken built chosen drawn found given gone held kept known left lost made meant met said seen sent shown "
    "spelt taken told written".split()
)
NO_PARTICIPLES = frozenset("embed reembed feed need spread".split())
SAME_JOB = {"__init__", "base", "repair"}  # modules of one name that do one job for two things
TREES = ("vecsearch", "benchmarks", "migrations")


def iterate_modules() -> Iterator[tuple[Path, ast.Module]]:
    for tree in TREES:
        for path in sorted((PROJECT / tree).rglob("*.py")):
            yield path.relative_to(PROJECT), ast.parse(path.read_text(encoding="utf-8"))


def iterate_functions() -> Iterator[tuple[str, str, list[str]]]:
    """Yield (place, name, decorators) of every function that is no dunder."""
    for path, tree in iterate_modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
                yield f"{path}:{node.lineno}", node.name, [ast.unparse(decorator) for decorator in node.decorator_list]


def iterate_classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path, tree in iterate_modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield path, node


def get_first_word(name: str) -> str:
    return name.strip("_").split("_")[0]


def is_participle(word: str) -> bool:
    return word in IRREGULAR or (bool(re.search(r"(ed|ing)$", word)) and word not in NO_PARTICIPLES and word not in VERBS)


def is_noun_by_design(name: str, decorators: list[str]) -> bool:
    """Return whether a function may be a noun: a property, or a click command as the shell spells it."""
    return name.strip("_") in NOUNS or any(
        "property" in decorator or ".command" in decorator or ".group" in decorator or ".setter" in decorator
        for decorator in decorators
    )


def test_functions_begin_with_a_verb() -> None:
    wrong_names = [
        f"{place} {name}" for place, name, decorators in iterate_functions()
        if get_first_word(name) not in VERBS | QUESTIONS | CONVERSIONS and not is_noun_by_design(name, decorators)
    ]  # fmt: skip
    assert wrong_names == []


def test_three_fifths_of_all_functions_begin_with_a_verb_whatever_else_is_allowed() -> None:
    names = [name for _, name, _ in iterate_functions()]
    assert sum(get_first_word(name) in VERBS | QUESTIONS for name in names) >= 0.6 * len(names)


def test_no_participle_pronoun_or_adverb_is_a_function() -> None:
    names = {
        f"{place} {name}"
        for place, name, _ in iterate_functions()
        if is_participle(get_first_word(name)) and name not in {"batched", "pending_vectors"}
    }
    pronouns = {
        f"{place} {name}" for place, name, _ in iterate_functions() if name.strip("_") in {"each", "some", "there", "here", "of"}
    }
    assert names | pronouns == set()


def test_no_two_classes_have_one_name() -> None:
    homes = defaultdict(list)
    for path, node in iterate_classes():
        homes[node.name].append(str(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_no_class_is_named_by_a_participle_alone() -> None:
    words = [
        (node.name, node.name.strip("_").lower()) for _, node in iterate_classes() if re.fullmatch(r"_?[A-Z][a-z]+", node.name)
    ]
    assert [name for name, word in words if word in IRREGULAR or word.endswith("ed")] == []


def test_no_two_modules_of_different_packages_have_one_name() -> None:
    homes = defaultdict(list)
    for path, _ in iterate_modules():
        if path.parts[0] == "vecsearch":
            homes[path.stem].append(str(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in SAME_JOB} == {}


def test_modules_are_shorter_than_400_lines_and_two_lie_at_the_top() -> None:
    long = [str(path) for path, _ in iterate_modules() if len((PROJECT / path).read_text(encoding="utf-8").splitlines()) > 400]
    assert long == []
    assert sorted(path.name for path in (PROJECT / "vecsearch").glob("*.py")) == ["__init__.py", "__main__.py"]
