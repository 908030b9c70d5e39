"""Text → terms: the fast way gives what the tokens give one by one."""

from __future__ import annotations

import os
import signal
import tracemalloc
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.text.analyzer import AnalyzedText, get_analyzer

PLAIN = st.text(st.sampled_from("abCD12 ._/@:&+#~-'s\n%()"), max_size=60)
MIXED = st.text(st.sampled_from("abCé1ß東京ー서K .+#'’s‐\u0301-˪"), max_size=40)
LONG = st.builds(
    lambda word, times, rest: word * times + rest, st.sampled_from(["ab", "a.", "aB", "é", "東"]), st.integers(1, 90), PLAIN
)


def analyze(language: str, text: str) -> AnalyzedText:
    """Return what is indexed, token by token."""
    tokens = list(get_analyzer(language).tokenize(text))
    forms = {form for token in tokens for form in token.list_forms()}
    return AnalyzedText([term for token in tokens for term in token.terms], forms)


@settings(max_examples=500)
@given(text=st.one_of(PLAIN, MIXED, LONG, st.text(max_size=100)), language=st.sampled_from(["en", "de", "none"]))
def test_a_text_is_indexed_by_what_its_tokens_say(text: str, language: str) -> None:
    assert get_analyzer(language).analyze(text) == analyze(language, text)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a+++b", ["a", "b"]), ("C#x C# c++", ["c", "x", "c", "c"]), ("v1.0.21-rc", ["1", "0", "21", "rc"]),
        ("the dog's getUserName", ["the", "dog", "get", "user", "name", "getusernam"]), ("", []), ("...", []),
    ],
)  # fmt: skip
def test_terms_of_a_text(text: str, terms: list[str]) -> None:
    assert get_analyzer("en").analyze(text).terms == terms


def test_long_tokens_are_not_kept():
    """Base64 and the like: each is met once, and a tuple of its parts takes many times its memory."""
    analyzer = get_analyzer("en")
    blobs = [f"{number:04}" + "aBcDefGh" * 10_000 for number in range(6)]
    tracemalloc.start()
    try:
        for blob in blobs:
            analyzer.analyze(blob)
            list(analyzer.tokenize(blob))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_a_child_forked_while_another_thread_takes_texts_apart_does_so_itself():
    analyzer, stopped = get_analyzer("en"), Event()

    def work() -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            analyzer.analyze_tokens(f"{number}swimming{other}ings" for other in range(100))

    worker = Thread(target=work)
    worker.start()
    ends = []
    try:
        for number in range(8):
            child = os.fork()
            if not child:
                signal.alarm(5)
                os._exit(0 if analyzer.analyze(f"{number} walkings").terms == [str(number), "walk"] else 1)
            ends.append(os.waitpid(child, 0)[1])
    finally:
        stopped.set()
        worker.join()
    assert ends == [0] * 8
