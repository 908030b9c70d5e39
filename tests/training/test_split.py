"""The parts of the questions: nothing of the proof is learned from, and the second part shares no document with the training."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.training.encoder_training import BATCH_PAIRS, TextPair, list_batches
from vecsearch.training.judged_questions import JudgedQuestion
from vecsearch.training.question_split import PART_MIN, split_questions

relevant = st.lists(st.integers(0, 60), min_size=1, max_size=3, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(relevant, min_size=50, max_size=150), st.integers(0, 9))
def test_new_documents_are_in_no_pair_of_the_training(documents: list[list[int]], seed: int) -> None:
    questions = [JudgedQuestion(f"question {n}", {f"d{key}": 1 for key in keys}) for n, keys in enumerate(documents)]
    split = split_questions(questions, seed=seed)
    parts = (split.training, split.dev, split.dev_new, split.asked_before, split.new_documents)
    texts = [question.text for part in parts for question in part]
    assert len(texts) == len(set(texts)) and len(texts) + split.left_out == len(questions)
    learned = {topic for part in (split.training, split.dev, split.dev_new) for question in part for topic in question.topics}
    assert not learned & {topic for question in split.new_documents for topic in question.topics}
    trained = {topic for question in split.training for topic in question.topics}
    assert not trained & {topic for question in split.dev_new for topic in question.topics}
    assert all(len(part) == 0 or len(part) >= PART_MIN for part in (split.asked_before, split.new_documents))
    assert split == split_questions(questions, seed=seed)


def test_of_a_label_that_most_have_something_is_left_to_learn() -> None:
    labels = ["most"] * 80 + ["a"] * 30 + ["b"] * 30
    questions = [
        JudgedQuestion(f"text {n}", {f"d{m}": 1 for m, other in enumerate(labels) if other == label}, f"d{n}", label)
        for n, label in enumerate(labels)
    ]
    for seed in range(8):
        split = split_questions(questions, seed=seed)
        held = {question.label for question in split.new_documents}
        assert held and held <= {"a", "b"} and not held & {question.label for question in split.training}
        assert {question.label for question in split.training}
        assert split.list_held_documents() >= {question.own for question in split.asked_before}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 20).map(str), min_size=1, max_size=3), min_size=1, max_size=120), st.integers(0, 9))
def test_no_two_pairs_of_a_batch_share_a_topic(topics: list[frozenset[str]], seed: int) -> None:
    pairs = [TextPair(f"q{n}", f"t{n}", of) for n, of in enumerate(topics)]
    batches = list_batches(pairs, seed)
    numbers = [number for batch in batches for number in batch]
    assert len(numbers) == len(set(numbers)) and all(2 <= len(batch) <= BATCH_PAIRS for batch in batches)
    for batch in batches:
        assert sum(len(topics[number]) for number in batch) == len(frozenset().union(*(topics[number] for number in batch)))
    assert batches == list_batches(pairs, seed)
