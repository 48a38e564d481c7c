"""Codes of trouble that Entra has itself: nobody's request is wrong."""

from typing import Final

from camunda_entra_fastapi.remote.aadsts_table.explanation import Texts

ENTRA: Final[Texts] = {
    (50004, 50033, 50087, 70012, 90006, 90024, 90030, 90031, 90032, 90041, 90090, 90091, 90202): (
        "Entra has trouble of its own at the moment.",
        "Try again in a minute.",
    ),
    (90012, 90033, 90035, 90039): (
        "A part of Entra does not answer at the moment.",
        "Try again in a minute.",
    ),
    (90045, 90055): (
        "Entra is too busy, or gets too many requests for this tenant.",
        "Wait some minutes, then try again.",
    ),
    (50000, 90036, 90037, 90040, 90092): (
        "Entra failed to issue a token, for a reason of its own.",
        "Try again. If it stays so, give Microsoft's support the code, IDs and time of this refusal.",
    ),
}
TOO_MANY_REQUESTS: Final = frozenset({90045, 90055})
