from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from vecsearch.documents.loaders import find_loader
from vecsearch.documents.loaders.raw_file import RawFile


def load(text, suffix=".py"):
    raw = RawFile("file", suffix, content=text.encode())
    (draft,) = find_loader(raw)(raw)
    return draft


def find_context(draft, words):
    """Find the lines that enclose the line that some words stand on."""
    place = draft.text.rindex("\n", 0, draft.text.index(words)) + 1
    section = [section for section in draft.sections if section.start <= place][-1]
    assert section.location["lines"] == 1 + draft.text.count("\n", 0, section.start)
    return section.context.split("\n") if section.context else []


def find_cuts(draft):
    """Find the lines to cut before, and how good a place each is."""
    return [
        (draft.text[section.start :].partition("\n")[0].strip(), section.split_priority)
        for section in draft.sections
        if section.split_priority
    ]


PYTHON = '''\
"""A module."""
import os
X = 1

# What holds
# things.
@decorated(
    "x",
)
class Store(Base):
    """A store."""

    size = 0

    @property
    def full(self) -> bool:
        # a comment
        if self.size:

            return True
        else:
            query = """
SELECT all
FROM it
"""
            return query
        after = 1

    def many(
        self,
        argument,
    ) -> None:
        body()

    if X:
        pass


def last():
    end()
'''


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("import", []),
        ("# What", []),
        ('"x"', []),
        ("class Store", []),
        ("size = 0", ["class Store(Base):"]),
        ("@property", ["class Store(Base):"]),
        ("def full", ["class Store(Base):"]),
        ("if self", ["class Store(Base):", "def full(self) -> bool:"]),
        ("return True", ["class Store(Base):", "def full(self) -> bool:", "if self.size:"]),
        ("return query", ["class Store(Base):", "def full(self) -> bool:", "else:"]),
        ("after", ["class Store(Base):", "def full(self) -> bool:"]),
        ("def many", ["class Store(Base):"]),
        ("body()", ["class Store(Base):", "def many("]),
        ("def last", []),
        ("end()", ["def last():"]),
    ],
)
def test_every_line_of_code_knows_the_lines_around_it(words, lines):
    assert find_context(load(PYTHON), words) == lines


def test_definitions_are_places_to_cut_with_what_stands_right_above_them():
    assert find_cuts(load(PYTHON)) == [("# What holds", 1), ("@property", 2), ("def many(", 2), ("def last():", 1)]


C = """\
#include <stdio.h>

/* Adds.
   Twice. */
static int
add(int a,
    int b)
{
#ifdef DEBUG
    trace();
#endif
    return a + b;
}

int main(void)
{
    if (add(1, 2))
    {
        puts("yes");
    }
    else
        puts("no");
}
"""

CPP = """\
template <class T>
class Box : public Base {
public:
    Box() {
        fill();
    }

    void fill() {
        for (;;) {
            work();
        }
    }

private slots:
    int size;
};
"""

JAVA = """\
package a;

public class Box {
    private int size;

    /**
     * Fills it.
     */
    @Override
    public void fill() {
        try {
            work();
        } catch (Exception e) {
            fail();
        } finally {
            close();
        }
    }
}
"""

TYPESCRIPT = """\
@Component({
  selector: "box",
})
export class Box {
  @Input() size = 1;

  fill = (): void => {
    this.items.forEach((item) => {
      item.fill();
    });
    done();
  };
}
"""

GO = """\
package a

// Run runs.
func (b *Box) Run(
\tctx Context,
) error {
\tswitch {
\tcase ready:
\t\tgo()
\t}
}
"""

RUST = """\
#[derive(Debug)]
pub struct Box<'a> {
    size: &'a str,
}

impl Box<'_> {
    /// Fills.
    pub fn fill(&self) {
        work();
    }

    pub fn drain(&self) {
        drop();
    }
}
"""

SQL = """\
-- all of it
CREATE TABLE box
(
    size int,
    name text
);

SELECT size
FROM box
WHERE size IN (
    1
);
"""

SHELL = """\
#!/bin/sh
fill() {
    for each in *; do
        work "$each"
    done
    finish
}

if true; then
    fill
fi
"""

RUBY = """\
module A
  class Box
    # Fills.
    def fill
      work
    end

    def drain
      drop
    end
  end
end
"""

CSS = """\
#box {
  color: red;
}

@media (width > 1px) {
  #box { color: blue; }
}
"""


@pytest.mark.parametrize(
    ("source", "words", "lines"),
    [
        (C, "trace", ["add(int a,"]),
        (C, "return a", ["add(int a,"]),
        (C, 'puts("yes")', ["int main(void)", "if (add(1, 2))"]),
        (C, 'puts("no")', ["int main(void)", "else"]),
        (CPP, "fill();", ["class Box : public Base {", "Box() {"]),
        (CPP, "work", ["class Box : public Base {", "void fill() {", "for (;;) {"]),
        (CPP, "int size", ["class Box : public Base {"]),
        (JAVA, "@Override", ["public class Box {"]),
        (JAVA, "work", ["public class Box {", "public void fill() {", "try {"]),
        (JAVA, "fail", ["public class Box {", "public void fill() {", "} catch (Exception e) {"]),
        (JAVA, "close", ["public class Box {", "public void fill() {", "} finally {"]),
        (TYPESCRIPT, "item.fill", ["export class Box {", "fill = (): void => {", "this.items.forEach((item) => {"]),
        (TYPESCRIPT, "done", ["export class Box {", "fill = (): void => {"]),
        (GO, "switch", ["func (b *Box) Run("]),
        (GO, "go()", ["func (b *Box) Run(", "case ready:"]),
        (RUST, "size:", ["pub struct Box<'a> {"]),
        (RUST, "work", ["impl Box<'_> {", "pub fn fill(&self) {"]),
        (SQL, "size int", ["CREATE TABLE box"]),
        (SQL, "    1", ["WHERE size IN ("]),
        (SHELL, "work", ["fill() {", "for each in *; do"]),
        (SHELL, "finish", ["fill() {"]),
        (RUBY, "drop", ["module A", "class Box", "def drain"]),
        (CSS, "color: red", ["#box {"]),
        (CSS, "#box { color", ["@media (width > 1px) {"]),
    ],
)
def test_scopes_are_found_in_many_languages(source, words, lines):
    assert find_context(load(source, ".c"), words) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (C, [("/* Adds.", 1), ("int main(void)", 1)]),
        (CPP, [("template <class T>", 1), ("void fill() {", 2)]),
        (JAVA, [("public class Box {", 1), ("/**", 2)]),
        (TYPESCRIPT, [("@Component({", 1), ("fill = (): void => {", 2)]),
        (GO, [("// Run runs.", 1)]),
        (RUST, [("#[derive(Debug)]", 1), ("impl Box<'_> {", 1), ("pub fn drain(&self) {", 2)]),
        (SQL, [("-- all of it", 1), ("SELECT size", 1)]),
        (SHELL, [("#!/bin/sh", 1), ("if true; then", 1)]),
        (RUBY, [("module A", 1)]),
        (CSS, [("#box {", 1), ("@media (width > 1px) {", 1)]),
    ],
)
def test_definitions_are_found_in_many_languages(source, lines):
    assert find_cuts(load(source, ".c")) == lines


def test_no_more_than_four_lines_are_told_and_of_each_its_beginning():
    draft = load("".join(f"{'  ' * depth}{'x' * 200}{depth}\n" for depth in range(6)) + "            end\n")
    assert find_context(draft, "end") == ["x" * 120] * 4


def test_tabs_and_blanks_indent_alike():
    assert find_context(load("a:\n\tb:\n        last\n"), "last") == ["a:", "b:"]
    assert find_context(load("a:\n    b\n\tlast\n"), "last") == ["a:"]


def test_quotes_in_strings_and_comments_begin_no_long_string():
    draft = load('def a():\n    x = \'"""\'  # it\'s """ here\n    end()\ndef b():\n    last()\n')
    assert find_context(draft, "last") == ["def b():"]


@pytest.mark.parametrize("text", ["x = 1", "function(){a()}" * 10_000, "a\nb\n\nc\n", "<<<<\n}}}\n"])
def test_code_without_scopes_is_one_section(text):
    assert [(section.start, section.location, section.context) for section in load(text).sections] == [(0, {"lines": 1}, "")]


def test_data_in_the_form_of_code_has_no_scopes():
    assert len(load("a\n b\n" * 250_000).sections) == 1


def test_a_long_file_has_fewer_sections_than_lines():
    draft = load(PYTHON * 1_000)
    assert len(draft.sections) < draft.text.count("\n") / 2


PIECES = [
    "\n", "\n\n", "    ", "  ", "\t", "def f():", "{", "}", "})", "(", "@d(", "# c", "// c", "/*", "*/", '"""', "'''", "x",
    "else:", "end", "#if X", "public:", "[A]", "int", "\u2028", "\x0c", "é",
]  # fmt: skip
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff") | st.sampled_from("\n\r\t")
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(CHARACTERS, max_size=60)


@given(texts)
@example("\ndef f():\n\u2028é")
def test_of_any_code_the_text_stays_and_sections_ascend_within_it(text):
    assume(text.strip())
    draft = load(text)
    assert draft.text == text.replace("\r\n", "\n").replace("\r", "\n")
    assert draft.sections[0].start == 0
    assert all(section.start < other.start < len(draft.text) for section, other in pairwise(draft.sections))
    assert all(
        section.context != other.context or section.split_priority or other.split_priority
        for section, other in pairwise(draft.sections)
    )
    for section in draft.sections:
        assert section.location == {"lines": 1 + draft.text.count("\n", 0, section.start)}
        assert section.start == 0 or draft.text[section.start - 1] == "\n"
        assert all(line and line in draft.text[: section.start] for line in section.context.split("\n") if section.context)
