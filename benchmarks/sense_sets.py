"""Make sets of passages with words in known senses, for `benchmarks.word_senses passages`.

    python -m benchmarks.sense_sets senseval packages/corpora/senseval.zip /tmp/senseval
    python -m benchmarks.sense_sets noad word_sense_disambigation_corpora /tmp/noad --part-of-speech NOUN

- senseval: the four words of Senseval 2 (hard, interest, line, serve) as NLTK has them (repository nltk/nltk_data): of each
  250 passages and 40 questions.
- noad: words of SemCor and MASC with the senses of the New Oxford American Dictionary (repository
  google-research-datasets/word_sense_disambigation_corpora; FOLDER is a clone): of 40 nouns, or 15 verbs, none of them in
  coarsewsd20 or senseval, up to 100 passages and 15 questions each. Settings of `about` were
  chosen on another draw of such words.

A passage is right for a question where it has the word in the same sense.
"""

from __future__ import annotations

import argparse
import csv
import html
import json
import random
import re
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.corpus import DATA_FOLDER

WORDS: Final = {"NOUN": 40, "VERB": 15}
TIMES_MIN: Final = 12  # that a sense must occur in
SHARE_MAX: Final = 0.8  # of a word's uses, of one sense
LENGTHS: Final = range(6, 61)  # of a sentence, in words


class SenseUse(NamedTuple):
    """A text, and the sense that the word has there."""

    text: str
    sense: str


Uses = Mapping[str, Sequence[SenseUse]]  # word → its uses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    senseval = commands.add_parser("senseval")
    senseval.set_defaults(run=lambda args: write_set(args.target, read_senseval(args.source), 250, 40))
    noad = commands.add_parser("noad")
    noad.add_argument("--part-of-speech", choices=WORDS, default="NOUN")
    noad.set_defaults(run=lambda args: write_set(args.target, read_noad(args.source, args.part_of_speech), 100, 15))
    for command in (senseval, noad):
        command.add_argument("source", type=Path)
        command.add_argument("target", type=Path)
    args = parser.parse_args()
    args.run(args)


def read_senseval(file: Path) -> Uses:
    """Read the lines that have the word."""
    uses: dict[str, set[SenseUse]] = defaultdict(set)
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.endswith(".pos"):
                for sense, lines in re.findall(
                    r'<instance.*?senseid="([^"]*)".*?<context>(.*?)</context>', archive.read(name).decode(), re.DOTALL
                ):
                    heads = [line for line in lines.split("\n") if "<head>" in line]
                    text = " ".join(html.unescape(re.sub("<[^>]*>", " ", heads[0])).split()) if len(heads) == 1 else ""
                    if len(text.split()) > 4:
                        uses[Path(name).stem].add(SenseUse(text, sense))
    return {word: sorted(of_word) for word, of_word in uses.items()}


def read_noad(folder: Path, part_of_speech: str) -> Uses:
    """Read the sentences of words that have several senses, of which so many words are drawn."""
    with (DATA_FOLDER / "coarsewsd20_retrieval" / "senses.tsv").open(encoding="utf-8") as lines:
        left_out = {row["word"] for row in csv.DictReader(lines, delimiter="\t")} | {"hard", "interest", "line", "serve"}
    uses: dict[str, set[SenseUse]] = defaultdict(set)
    for sentence in (sentence for file in sorted(folder.glob("*/**/*.xml")) for sentence in split_sentences(file)):
        text = "".join(
            word.get("text", "") if not n or word.get("break_level") == "NO_BREAK" else f" {word.get('text')}"
            for n, word in enumerate(sentence)
        )
        lemmas = Counter(word.get("lemma", "") for word in sentence)
        for word in sentence:
            lemma, sense = word.get("lemma", ""), word.get("sense")
            is_plain = lemma.isalpha() and lemma.islower() and len(lemma) > 2 and lemmas[lemma] == 1
            if sense and is_plain and lemma not in left_out and word.get("pos") == part_of_speech:
                uses[lemma].add(SenseUse(text, sense.rpartition("/")[2]))
    found = {}
    for lemma, of_word in sorted(uses.items()):
        counts = {sense: count for sense, count in Counter(use.sense for use in of_word).items() if count >= TIMES_MIN}
        if len(counts) > 1 and max(counts.values()) <= SHARE_MAX * len(of_word):
            found[lemma] = sorted(use for use in of_word if use.sense in counts)
    drawn = random.Random(1).sample(sorted(found), min(WORDS[part_of_speech], len(found)))
    return {word: found[word] for word in drawn}


def split_sentences(file: Path) -> Iterator[Sequence[ET.Element]]:
    """Yield the words of each sentence that is neither short nor long; nothing of a file that is damaged."""
    try:
        words = ET.parse(file).getroot().iter("word")
    except ET.ParseError:
        return
    sentence: list[ET.Element] = []
    for word in words:
        if word.get("break_level") in ("SENTENCE_BREAK", "PARAGRAPH_BREAK"):
            if len(sentence) in LENGTHS:
                yield sentence
            sentence = []
        sentence.append(word)
    if len(sentence) in LENGTHS:
        yield sentence


def write_set(folder: Path, uses: Uses, passages: int, questions: int) -> None:
    """Write the files of BEIR's layout, and senses.tsv."""
    chance, corpus, queries = random.Random(0), dict[str, tuple[str, SenseUse]](), dict[str, tuple[str, SenseUse]]()
    for word, of_word in sorted(uses.items()):
        drawn = chance.sample(of_word, min(len(of_word), passages + questions))
        queries |= {f"q{len(queries) + n}": (word, use) for n, use in enumerate(drawn[:questions])}
        corpus |= {f"d{len(corpus) + n}": (word, use) for n, use in enumerate(drawn[questions:])}
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in (("corpus", corpus), ("queries", queries)):
        lines = (json.dumps({"_id": id, "text": use.text}, ensure_ascii=False) for id, (_, use) in entries.items())
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    senses = (f"{id}\t{word}\t{use.sense}\n" for id, (word, use) in (corpus | queries).items())
    (folder / "senses.tsv").write_text("id\tword\tsense\n" + "".join(senses), encoding="utf-8")
    judgements = (
        f"{query}\t{id}\t1\n"
        for query, (word, asked) in queries.items()
        for id, (other, use) in corpus.items()
        if (word, asked.sense) == (other, use.sense)
    )
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judgements), encoding="utf-8")
    print(f"{folder}: {len(uses)} words, {len(corpus):,} passages, {len(queries):,} questions")


if __name__ == "__main__":
    main()
