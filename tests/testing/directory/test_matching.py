"""Names as people type them."""

import pytest

from camunda_entra_fastapi.testing.directory.matching import NotMatched, best_match, shortest_name

PEOPLE = [
    ("Ben Reader", "ben@contoso.example"),
    ("Ada Admin", "ada@contoso.example"),
    ("Ada Lovelace", "lovelace@contoso.example"),
    ("Élodie de la Tour", "tour@contoso.example"),
]


@pytest.mark.parametrize(
    ("typed", "index"),
    [
        ("Ben Reader", 0),
        ("ben", 0),
        (" BEN ", 0),
        ("ben@contoso.example", 0),
        ("read", 0),
        ("admin", 1),
        ("lovelace", 2),
        ("ÉLODIE", 3),
        ("Ada Admin", 1),
    ],
)
def test_a_part_is_enough_where_it_tells(typed: str, index: int) -> None:
    """In any case, with blanks around it, by name and by username."""
    assert best_match("person", typed, [(number, names) for number, names in enumerate(PEOPLE)]) == index


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("ada", "'ada' may be Ada Admin, Ada Lovelace. Give more of the name."),
        (
            "bne",
            "There is no person 'bne'. Did you mean ben? There are: Ben Reader, Ada Admin, Ada Lovelace, "
            "Élodie de la Tour.",
        ),
        ("x" * 500, f"There is no person '{'x' * 80}'. There are: Ben"),
        ("", "There is no person ''. There are: Ben"),
    ],
)
def test_what_does_not_tell_is_answered_with_who_there_is(typed: str, message: str) -> None:
    """Whoever mistypes sees the right spelling."""
    with pytest.raises(NotMatched) as raised:
        best_match("person", typed, list(enumerate(PEOPLE)))
    assert str(raised.value).startswith(message)
    with pytest.raises(NotMatched, match="There are: none"):
        best_match("person", typed, [])


def test_the_shortest_name_finds_whom_it_is_of() -> None:
    """What is printed to be pasted names one person alone."""
    assert [shortest_name(PEOPLE, index) for index in range(4)] == [
        "ben",
        "ada@contoso.example",
        "lovelace@contoso.example",
        "élodie",
    ]
    for index in range(4):
        assert best_match("person", shortest_name(PEOPLE, index), list(enumerate(PEOPLE))) == index
