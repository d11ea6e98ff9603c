"""Which steps a schema has seen, as values: no database."""

from __future__ import annotations

import pytest

from tidegate.container.adopting.matching import Climb, exactly, furthest, owner

MENU = "table public.menu:"
NAME = "column public.menu.name: text"
PRICE = "column public.menu.price: integer"
DISH = "table public.dish:"
INDEX = "index public.ix: CREATE INDEX ix ON public.dish USING btree (id)"


def climb(*levels: tuple[str, set[str]], needs: dict[str, list[str]] | None = None) -> Climb:
    """Steps that follow each other, unless `needs` says otherwise."""
    names = [step for step, _ in levels]
    chain = {name: names[n - 1 : n] if n else [] for n, name in enumerate(names)}
    return Climb(frozenset(), tuple((s, frozenset(x)) for s, x in levels), needs or chain)


LINE = climb(
    ("a", {MENU, NAME}),
    ("b", {MENU, NAME, PRICE}),
    ("rows", {MENU, NAME, PRICE}),
    ("c", {MENU, NAME, PRICE, DISH}),
    ("d", {MENU, NAME, PRICE, DISH, INDEX}),
)


@pytest.mark.parametrize(
    ("found", "adopted"),
    [
        (set(), ""),
        ({"table public.other:"}, ""),
        ({MENU, NAME}, "a"),
        ({MENU, NAME, PRICE}, "a b"),
        ({MENU, NAME, PRICE, DISH}, "a b rows c"),
        ({MENU, NAME, PRICE, DISH, INDEX, "view public.mine: SELECT 1"}, "a b rows c d"),
    ],
)
def test_the_furthest_step_that_is_seen(found: set[str], adopted: str):
    """Steps count as far as something of them is there; one that only changes rows counts when
    a later one does."""
    match = furthest(LINE, frozenset(found))
    assert (" ".join(match.adopted), match.differences) == (adopted, ())


def test_what_changes_no_schema_is_named():
    """An adopted step that leaves the schema as it was can't have been compared."""
    assert furthest(LINE, frozenset({MENU, NAME, PRICE, DISH})).unseen == ("rows",)


@pytest.mark.parametrize(
    ("found", "wrong", "equal"),
    [
        ({MENU, "column public.menu.name: integer"}, "table public.menu", ""),
        ({MENU, NAME, DISH}, "table public.menu", "a"),  # c is there, and b, which it needs, not
        ({DISH}, "table public.menu", ""),
        ({MENU, NAME, "column public.menu.mine: text"}, "table public.menu", ""),
    ],
)
def test_differences(found: set[str], wrong: str, equal: str):
    """What no step makes, and what lies half way, is a difference; nothing is adopted then."""
    match = furthest(LINE, frozenset(found))
    assert [one.object for one in match.differences] == [wrong]
    assert match.adopted == ()
    assert " ".join(match.equal) == equal


def test_a_difference_lists_both_sides():
    """The lines of a difference say what the step makes and what is there."""
    (one,) = furthest(LINE, frozenset({MENU, "column public.menu.name: integer"})).differences
    assert one.step == "a"
    assert one.lines == ("+ column public.menu.name: integer", "- column public.menu.name: text")


def test_named_steps():
    """A named step brings what it needs, and rows-only steps with it; what differs is listed."""
    found = frozenset({MENU, NAME, PRICE})
    assert exactly(LINE, found, ["rows"]).adopted == ("a", "b", "rows")
    assert exactly(LINE, found, ["a"]).differences[0].object == "table public.menu"
    assert exactly(LINE, found, ["c"]).differences[0].object == "table public.dish"


def test_branches():
    """Of two apps that need nothing of each other, one alone can be there."""
    apps = climb(("x.1", {MENU}), ("y.1", {MENU, DISH}), needs={"x.1": [], "y.1": []})
    assert furthest(apps, frozenset({DISH})).adopted == ("y.1",)


def test_a_renamed_table():
    """The name before a rename needs not be there."""
    renamed = climb(("a", {MENU}), ("b", {DISH}))
    assert furthest(renamed, frozenset({DISH})).adopted == ("a", "b")
    assert furthest(renamed, frozenset({MENU})).adopted == ("a",)
    assert furthest(renamed, frozenset()).adopted == ()


@pytest.mark.parametrize(
    ("line", "object"),
    [
        (INDEX, "table public.dish"),
        ('index public."IX a": CREATE INDEX "IX a" ON ONLY public."Dish" (id)',
         'table public."Dish"'),
        ('constraint public."My table".pk: PRIMARY KEY (id)', 'table public."My table"'),
        ("comment public.menu: what is cooked", "table public.menu"),
        ("enum public.size: 'a', 'b'", "enum public.size"),
        ("function public.f(a integer): CREATE FUNCTION", "function public.f(a integer)"),
        ("materialized view public.v: SELECT 1", "materialized view public.v"),
    ],
)  # fmt: skip
def test_the_object_of_a_line(line: str, object: str):
    """Each line of the catalogue belongs to one object: what hangs on a table, to the table."""
    assert owner(line, is_file=False) == object


@pytest.mark.parametrize(
    ("line", "object"),
    [
        ("column menu.id: INTEGER", "table menu"),
        ('index ix: CREATE INDEX ix ON "Menu" (id)', "table menu"),
        ("foreign key dish.menu: menu.id NO ACTION NO ACTION", "table dish"),
    ],
)
def test_the_object_of_a_line_of_a_file(line: str, object: str):
    """SQLite's names stand without a schema, and their case means nothing."""
    assert owner(line, is_file=True) == object
