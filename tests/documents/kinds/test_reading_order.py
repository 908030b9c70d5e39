"""Shapes on a slide are read from top to bottom, those in one row from left to right, groups kept together, titles first."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.test_office import A, load_document, make_opendocument, make_pptx, make_relations
from vecsearch.documents.loaders.office.reading_order import Box, sort_in_reading_order

INCH = 914_400
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'


def make_frame(*place):
    numbers = [round(number * INCH) for number in place]
    return '<a:xfrm><a:off x="{}" y="{}"/><a:ext cx="{}" cy="{}"/></a:xfrm>'.format(*numbers)


def make_body(text):
    return f"<p:txBody>{f'<a:p><a:r><a:t>{text}</a:t></a:r></a:p>' if text else ''}</p:txBody>"


def make_shape(text, *place, holder=""):
    """Make a shape in inches; `holder` are the attributes of a placeholder, which may have no place."""
    properties = f"<p:nvSpPr><p:nvPr><p:ph {holder}/></p:nvPr></p:nvSpPr>" if holder else ""
    return f"<p:sp>{properties}<p:spPr>{make_frame(*place) if place else ''}</p:spPr>{make_body(text)}</p:sp>"


def make_group(place, *shapes):
    frame = make_frame(*place) if place else ""
    return f"<p:grpSp><p:nvGrpSpPr/><p:grpSpPr>{frame}</p:grpSpPr>{''.join(shapes)}</p:grpSp>"


def make_table(text, *place):
    row = f"<a:tr><a:tc>{make_body(text)}</a:tc></a:tr>"
    frame = make_frame(*place).replace("a:xfrm", "p:xfrm")
    return f"<p:graphicFrame>{frame}<a:graphic><a:tbl>{row}</a:tbl></a:graphic></p:graphicFrame>"


def read_blocks(*slides, parts=None):
    return load_document(make_pptx(*slides, parts=parts), ".pptx").text.split("\n\n")


def test_shapes_are_read_from_top_to_bottom_and_left_to_right():
    slide = (
        make_shape("last", 1, 6, 8, 1) + make_shape("right", 6, 2.05, 3, 1) + make_shape("left", 1, 2.1, 3, 1)
        + make_table("a table", 1, 4, 8, 1) + make_shape("first", 1, 1, 8, 0.5)
    )  # fmt: skip
    assert read_blocks(slide) == ["first", "left", "right", "a table", "last"]


def test_a_title_comes_first_wherever_it_stands():
    slide = make_shape("above", 1, 1, 8, 1) + make_shape("The title", 1, 6, 8, 1, holder='type="title"')
    assert read_blocks(slide) == ["The title", "above"]


def test_a_group_is_read_in_one_piece_in_its_own_order():
    group = make_group((1, 1, 4, 4), make_shape("group: two", 1, 4, 2, 1), make_shape("group: one", 1, 1, 2, 1))
    inner = make_group(None, make_shape("inner: two", 1, 8, 2, 1), make_group(None, make_shape("inner: one", 1, 7, 2, 0.5)))
    slide = inner + make_shape("beside", 6, 1.1, 2, 1) + make_shape("under", 1, 6, 2, 0.5) + group
    assert read_blocks(slide) == ["group: one", "group: two", "beside", "under", "inner: one", "inner: two"]


def test_what_a_program_may_not_know_stands_where_its_alternative_does():
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    alternatives = (
        f"<mc:AlternateContent {mc}><mc:Choice>{make_shape('new', 1, 1, 3, 1)}</mc:Choice>"
        f"<mc:Fallback>{make_shape('old', 1, 1, 3, 1)}</mc:Fallback></mc:AlternateContent>"
    )
    assert read_blocks(make_shape("under", 1, 3, 3, 1) + alternatives) == ["new", "under"]


def test_placeholders_stand_where_the_layout_or_its_master_says():
    def make_part(tag, *shapes):
        return f"<p:{tag} {P} {A}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:{tag}>"

    parts = {
        "ppt/slides/_rels/slide1.xml.rels": make_relations(slideLayout="../slideLayouts/l.xml"),
        "ppt/slideLayouts/_rels/l.xml.rels": make_relations(slideMaster="../slideMasters/m.xml"),
        "ppt/slideLayouts/l.xml": make_part(
            "sldLayout",
            make_shape("", 1, 5, 3, 1, holder='type="pic" idx="7"'),
            make_shape("", 1, 3, 3, 1, holder='idx="8"'),
            make_shape("", holder='type="ftr" idx="9"'),
        ),
        "ppt/slideMasters/m.xml": make_part(
            "sldMaster",
            make_shape("", 1, 8, 3, 1, holder='type="ftr" idx="8"'),
            make_shape("", 1, 2, 3, 1, holder='type="body" idx="1"'),
        ),
    }
    slide = (
        make_shape("footer", holder='type="ftr" idx="9"') + make_shape("seven", holder='type="pic" idx="7"')
        + make_shape("own", 1, 7, 3, 1) + make_shape("eight", holder='idx="8"') + make_shape("subtitle", holder='type="subTitle"')
        + make_shape("top", 1, 1, 3, 0.5)
    )  # fmt: skip
    assert read_blocks(slide, parts=parts) == ["top", "subtitle", "eight", "seven", "own", "footer"]


def make_odp_frame(text, *place, kind=""):
    at = ' svg:x="{}" svg:y="{}" svg:width="{}" svg:height="{}"'.format(*place) if place else ""
    named = f' presentation:class="{kind}"' if kind else ""
    return f"<draw:frame{at}{named}><draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"


def test_slides_and_drawings_of_opendocument_are_read_in_the_same_order():
    svg = 'xmlns:svg="svg" xmlns:presentation="presentation"'
    group = make_odp_frame("group: two", "1cm", "8cm", "1cm", "5mm") + make_odp_frame("group: one", "1cm", "1cm", "1cm", "5mm")
    turned = make_odp_frame("turned").replace("frame", 'frame draw:transform="rotate (1.57) translate (1cm 6cm)"', 1)
    page = (
        make_odp_frame("low", "1cm", "9cm", "5cm", "2cm") + make_odp_frame("right", "60mm", "30.5mm", "2in", "72pt")
        + make_odp_frame("left", "0.5in", "3.1cm", "2cm", "1in").replace("draw:frame", "draw:custom-shape")
        + f"<draw:g>{group}</draw:g>" + turned + make_odp_frame("Title", "1cm", "12cm", "9cm", "2cm", kind="title")
        + f"<presentation:notes>{make_odp_frame('say it', kind='notes')}</presentation:notes>"
    )  # fmt: skip
    body = f"<draw:page {svg}>{page}</draw:page>"
    for kind, suffix in (("presentation", ".odp"), ("graphics", ".odg")):
        blocks = load_document(make_opendocument(kind, body), suffix).text.split("\n\n")
        assert blocks == ["Title", "group: one", "group: two", "left", "right", "turned", "low", "say it"]


def test_a_shape_that_stands_nowhere_follows_the_one_before_it():
    damaged = make_shape("damaged", 1, 1, 1, 1).replace('x="914400"', 'x="9e9"')
    slide = make_shape("low", 1, 5, 1, 1) + damaged + make_shape("lost") + make_shape("high", 1, 1, 1, 1)
    assert read_blocks(make_shape("zero") + slide) == ["zero", "high", "low", "damaged", "lost"]


def test_each_slide_keeps_its_own_place():
    slides = [make_shape(f"{number} two", 1, 3, 1, 1) + make_shape(f"{number} one", 1, 1, 1, 1) for number in (2, 1)]
    document = load_document(make_pptx(*slides), ".pptx")
    assert document.text.split("\n\n") == ["1 one", "1 two", "2 one", "2 two"]
    assert [section.location for section in document.sections] == [{"slide": 1}, {"slide": 2}]


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_a_grid_is_read_row_by_row_however_it_was_drawn(data, rows, columns):
    slack = st.integers(0, 1)
    cells = [
        (f"{row} {column}", Box(column * 10 + data.draw(slack), row * 10 + data.draw(slack), column * 10 + 9, row * 10 + 9))
        for row in range(rows)
        for column in range(columns)
    ]
    drawn = data.draw(st.permutations(cells))
    assert sort_in_reading_order(drawn, lambda cell: cell[1]) == cells


boxes = st.none() | st.builds(Box, *[st.integers(-5, 5)] * 4)


@given(st.lists(boxes, max_size=12))
def test_no_shape_is_lost_or_read_twice(places):
    shapes = list(enumerate(places))
    assert sorted(shape[0] for shape in sort_in_reading_order(shapes, lambda shape: shape[1])) == list(range(len(places)))


def test_tens_of_thousands_of_shapes_in_one_row_take_no_time_of_their_square():
    shapes = list(range(30_000))
    assert sort_in_reading_order(reversed(shapes), lambda number: Box(number, 0, number + 1, 1)) == shapes
