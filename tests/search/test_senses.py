"""The meanings of a word: groups of its uses, the definitions that fit, whether two texts mean the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import vecsearch
from tests.conftest import CommandResult
from vecsearch.core.errors import UnavailableError, UsageError
from vecsearch.text import wordnet
from vecsearch.text.wordnet import WordNet, find_wordnet

RIVER = [
    "Herons stand on the bank of the river and wait for fish.",
    "The flood washed away the bank and carried mud into the stream.",
    "We pulled the canoe up on the muddy bank and made camp by the water.",
    "Willows grow along the banks of the slow river.",
    "The current eats into the outer bank where the river bends.",
    "He slipped from the steep bank into the cold water.",
]
MONEY = [
    "The bank raised the interest on savings accounts.",
    "She took a loan from the bank to buy a house.",
    "The central bank printed money to stop the crisis.",
    "He deposited his wages at the bank every Friday.",
    "Customers of the bank can transfer money by phone.",
    "Two banks refused to lend to the company.",
]
OTHER = ["Bats hunt moths at dusk.", "The loaf must rest for an hour."]
LINES = {  # of WordNet 3.0, in the format of its files
    "data.noun": (
        "  1 This software and database is being provided to you, the LICENSEE  \n"
        "{bank:08d} 17 n 01 bank 0 002 @ 09351905 n 0000 ~ 09390868 n 0000 | sloping land (especially the slope beside a body of "
        'water); "they pulled the canoe up on the bank"; "he sat on the bank of the river and watched the currents"  \n'
        "{money:08d} 14 n 04 depository_financial_institution 0 bank 0 banking_concern 0 banking_company 0 001 @ 08054721 n 0000 "
        '| a financial institution that accepts deposits and channels the money into lending activities; "he cashed a check '
        'at the bank"  \n'
    ),
    "index.noun": "  1 This software and database  \nbank n 2 1 @ 2 1 {bank:08d} {money:08d}  \n",
    "noun.exc": "mice mouse\nbanken bank\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wordnet")
    data = LINES["data.noun"]
    first = data.index("{bank") - 0
    at = {"bank": first, "money": len(data[: data.index("{money")].format(bank=0))}
    for part in ("noun", "verb", "adj", "adv"):
        for kind in ("data", "index"):
            name = f"{kind}.{part}"
            (folder / name).write_text(LINES.get(name, "").format(**at), encoding="utf-8")
    (folder / "noun.exc").write_text(LINES["noun.exc"], encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("senses") / "a.vec")
    collection.add([*RIVER, *MONEY, *OTHER], ids=[f"{n}" for n in range(len(RIVER + MONEY + OTHER))])
    return collection


def test_uses_of_one_meaning_stand_together_with_the_definition_that_fits(notes: vecsearch.Collection, dictionary: Path) -> None:
    found = notes.senses("bank", wordnet=dictionary)
    assert (found.word, found.passages, found.read, found.reason) == ("bank", 12, 12, None)
    assert sum(group.size for group in found) == 12
    assert [group.size for group in found] == sorted((group.size for group in found), reverse=True)
    texts = {group.sense.definition[:7]: {hit.text for hit in group.hits} for group in found[:2] if group.sense}
    assert texts["sloping"] < set(RIVER)
    assert texts["a finan"] < set(MONEY)
    for hit in found[0].hits:
        assert hit.word is not None
        assert hit.text[hit.word.start : hit.word.end].lower() in ("bank", "banks")


def test_without_wordnet_groups_have_no_definition_and_the_shell_says_what_to_install(
    notes: vecsearch.Collection, monkeypatch: pytest.MonkeyPatch, shell: Callable[..., CommandResult], dictionary: Path
) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", Path("/nowhere"))
    found = notes.senses("bank")
    assert found.reason == "no definitions: there is no WordNet here; apt install wordnet-base, or --wordnet DIR"
    assert {group.sense for group in found} == {None}
    place = ("--db", notes.path)
    answer = shell("senses", "bank", *place)
    assert answer.status == 0
    assert "apt install wordnet-base, or --wordnet DIR" in answer.err
    assert answer.out.startswith("1  ")
    told = shell("senses", "bank", "--wordnet", dictionary, *place)
    assert "financial institution" in told.out
    assert "apt install" not in told.err
    plain = json.loads(shell("senses", "bank", "--json", *place).out)
    assert plain["groups"][0]["hits"][0]["word"]["end"] > 0
    assert "no passage has the word 'heat'" in shell("senses", "heat", *place).err
    assert shell("senses", "bank", "--wordnet", "/nowhere", *place).status == 1


def test_a_word_of_one_meaning_is_one_group_and_a_single_passage_too(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add([f"The savings bank in {town} lends money to buy a house." for town in ("Bonn", "Kiel", "Ulm", "Hof")])
        collection.add(["Bats hunt moths."])
        assert [group.size for group in collection.senses("bank")] == [4]
        assert [(group.size, len(group.hits)) for group in collection.senses("moth")] == [(1, 1)]
        assert collection.senses("heron") == []


def test_whether_a_word_means_the_same_in_two_texts(notes: vecsearch.Collection, dictionary: Path) -> None:
    other = notes.same_sense("bank", RIVER[0], MONEY[0], wordnet=dictionary)
    same = notes.same_sense("bank", MONEY[1], MONEY[3], wordnet=dictionary)
    assert (other.same, same.same) == (False, True)
    assert 0 < other.score < 0.5 < same.score < 1
    assert same.senses[0].sense.words[1] == "bank"
    assert same.senses[0].first > same.senses[1].first
    fits = {match.sense.definition[:7]: match for match in other.senses}
    assert fits["sloping"].first > fits["a finan"].first
    assert fits["sloping"].second < fits["a finan"].second


def test_without_definitions_the_texts_alone_tell(notes: vecsearch.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", Path("/nowhere"))
    other, same = notes.same_sense("bank", RIVER[0], MONEY[0]), notes.same_sense("bank", MONEY[1], MONEY[3])
    assert (other.senses, other.same) == ((), False)
    assert same.score > other.score
    with pytest.raises(UsageError, match="'heron' is no word of the question"):
        notes.same_sense("heron", RIVER[0], MONEY[0])


WORDS = ["shore", "slope", "riverside", "lender", "savings", "loan", "finance", "bat", "loaf"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("words") / "a.vec")
    collection.add(WORDS, ids=WORDS)
    return collection


def test_words_near_to_a_word_as_a_sentence_has_it(words: vecsearch.Collection, dictionary: Path) -> None:
    river = [hit.id for hit in words.similar(text="bank", about=RIVER[2], wordnet=dictionary, limit=3)]
    money = [hit.id for hit in words.similar(text="bank", about=MONEY[1], wordnet=dictionary, limit=4)]
    assert len({"shore", "slope", "riverside"}.intersection(river)) >= 2
    assert len({"lender", "savings", "loan", "finance"}.intersection(money)) >= 3


def test_without_definitions_a_sentence_moves_a_word_towards_its_meaning(
    words: vecsearch.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", Path("/nowhere"))
    river, money = (
        {hit.id: hit.score for hit in words.similar(text="bank", about=text, limit=9)} for text in (RIVER[0], MONEY[1])
    )
    assert min(river[word] - money[word] for word in ("shore", "riverside")) > 0.03
    assert max(river[word] - money[word] for word in ("loan", "lender")) < -0.03


def test_a_definition_of_wordnet_brings_its_synonyms(words: vecsearch.Collection, dictionary: Path) -> None:
    slope, money = WordNet(dictionary).find("bank")
    plain, known = (
        {hit.id: hit.score for hit in words.similar(text="bank", about=money.definition, wordnet=folder, limit=9)}
        for folder in (None, dictionary)
    )
    (expected,) = words.embed([money.describe("bank")])
    assert known["lender"] == pytest.approx(float(words.embed(["lender"])[0] @ expected), abs=2e-3)
    assert known != plain
    assert slope.describe("bank").endswith("(bank)")


def test_a_definition_in_ones_own_words_is_that_of_wordnet_which_says_the_same(
    words: vecsearch.Collection, dictionary: Path
) -> None:
    slope, money = WordNet(dictionary).find("bank")
    for own, sense in (
        ("the land along the side of a river", slope),
        ("a firm that keeps people's savings and lends money", money),
    ):
        own_words, known = (
            [(hit.id, hit.score) for hit in words.similar(text="bank", about=text, wordnet=dictionary, limit=9)]
            for text in (own, sense.definition)
        )
        assert own_words == known
    other, plain = (
        [hit.id for hit in words.similar(text="bank", about="a row of oars or keys", wordnet=folder, limit=9)]
        for folder in (dictionary, None)
    )
    assert other == plain


def test_words_near_to_a_word_as_a_definition_has_it(
    words: vecsearch.Collection, shell: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", Path("/nowhere"))
    definition = "the land along the side of a river or lake"
    hits = words.similar(text="bank", about=definition, limit=2)
    assert hits[0].id == "shore"
    answer = shell("similar", "bank", "--about", definition, "-n", 2, "--db", words.path, "--json")
    assert [hit["id"] for hit in json.loads(answer.out)["hits"]] == [hit.id for hit in hits]
    with pytest.raises(UsageError, match="about says what a word means: give the word as text"):
        words.similar(id="shore", about=definition)
    with pytest.raises(UsageError, match="a single word was expected"):
        words.similar(text="a bank", about=definition)


def test_jump_leap_and_hop_are_what_bound_means_in_a_list_that_has_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", Path("/nowhere"))
    with vecsearch.open(tmp_path / "a.vec") as collection:
        collection.add(["Bound", "Jump", "Leap", "Hop", "Limit", "Border", "River", "Tie", "Rope", " bounds\n", "out of bounds"])
        hits = collection.similar(text="bound", about="to move forward by leaps", limit=20)
    texts = [hit.text.strip() for hit in hits]
    assert set(texts[:3]) == {"Jump", "Leap", "Hop"}
    assert "out of bounds" in texts and not {"Bound", "bounds"} & set(texts)


def test_wordnet_is_read_in_its_own_format_and_as_one_table(dictionary: Path, shared: Callable[[str], Path]) -> None:
    own = WordNet(dictionary)
    slope, money = own.find("Banks")
    assert (slope.part_of_speech, slope.words, slope.id[-2:]) == ("noun", ("bank",), "-n")
    assert slope.examples[1] == "he sat on the bank of the river and watched the currents"
    assert money.words[0] == "depository financial institution"
    assert money.definition == "a financial institution that accepts deposits and channels the money into lending activities"
    assert own.find("banken") == [slope, money]
    assert own.find("nothing of the kind") == []
    assert list(own.iterate()) == [slope, money]
    table = WordNet(shared("wordnet"))
    assert len(table.find("bank")) == 18
    assert slope.definition in {sense.definition for sense in table.find("banks")}


def test_words_that_wordnet_lacks_and_other_languages_have_no_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dictionary: Path
) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", dictionary)
    with vecsearch.open(tmp_path / "de.vec", stemmer="de") as german:
        german.add(["Die Bank im Park ist aus Holz.", "Die Bank hat die Zinsen erhöht."])
        found = german.senses("Bank")
        assert {group.sense for group in found} == {None}
        assert found.reason is not None
        assert "WordNet is English, this collection is not (stemmer de); --wordnet DIR for another" in found.reason
        assert german.same_sense("Bank", "eine Bank im Park", "eine Bank mit Geld").senses == ()
        assert german.senses("Bank", wordnet=dictionary).reason is None
    with vecsearch.open(tmp_path / "en.vec") as english:
        english.add(["A heron waits.", "Two herons fly from the bank."])
        assert english.senses("heron").reason == "no definitions: WordNet does not have 'heron'"
        assert english.senses("heron").to_dict()["reason"] == "no definitions: WordNet does not have 'heron'"
        assert english.senses("ｂａｎｋ").reason is None
        assert english.senses("bank").reason is None


def test_the_wordnet_of_the_system_is_found() -> None:
    found = find_wordnet()
    if found is None:
        pytest.skip("there is no WordNet here: apt install wordnet-base")
    senses = found.find("models")
    assert len(senses) > 10
    assert any("fashion model" in sense.words or "mannequin" in sense.words for sense in senses)
    assert {sense.part_of_speech for sense in found.find("ran")} == {"verb"}


def test_damaged_files_are_told_by_their_folder(tmp_path: Path, dictionary: Path) -> None:
    folder = tmp_path / "wordnet"
    shutil.copytree(dictionary, folder)
    (folder / "data.noun").write_text("no line of WordNet's\n")
    with pytest.raises(UnavailableError, match=r"the WordNet in .*wordnet cannot be read"):
        WordNet(folder).find("bank")
    (folder / "data.noun").unlink()
    with pytest.raises(UnavailableError, match=r"there is no WordNet in"):
        WordNet(folder)
    (folder / "synsets.tsv.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(UnavailableError, match=r"the WordNet in .*wordnet cannot be read"):
        WordNet(folder).find("bank")


def test_a_folder_without_wordnet_says_what_was_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match=r"there is no WordNet in .*: neither index\.noun and data\.noun"):
        WordNet(tmp_path)
    monkeypatch.setattr(wordnet, "DEBIAN_FOLDER", tmp_path / "none")
    assert find_wordnet() is None
