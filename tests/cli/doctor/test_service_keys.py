"""What ``doctor`` says of the running service's keys: which are live, which are kept, and since when."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import Ran
from tests.cli.doctor.test_misconfigurations import service, serving_responses
from tests.waiting import wait_for

MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def finding(ran: Ran, name: str = "service keys") -> dict[str, Any] | None:
    """The finding of that name, if there is one."""
    found = [each for each in ran.json["findings"] if each["name"] == name]
    assert len(found) <= 1
    return found[0] if found else None


def test_live_and_kept_keys_of_the_running_service(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """A kept key is good to know, not wrong: Entra's servers publish different sets."""
    emulator.rotate_keys(overlap=False)
    old = emulator.keys[0].key_id
    emulator.rotate_keys()
    new = emulator.keys[0].key_id
    with service(emulator, metadata_lifetime=1) as url:
        found = finding(run("doctor", "--json", "--url", url))
        assert found is not None
        assert found["state"] == "ok"
        assert re.fullmatch(
            f"The service has of Entra's newest document, of {MOMENT}: {new}; {old}. "
            "None is kept from an earlier one.",
            found["told"],
        )
        emulator.hide_key(old)
        wait_for(lambda: httpx.get(f"{url}/auth/health?keys=true").json()["keys"]["kept"])
        ran = run("doctor", "--json", "--url", url)
        emulator.show_key(old)
    found = ran.finding("keys_kept")
    assert (ran.code, found["name"], found["state"]) == (0, "service keys", "note")
    assert re.fullmatch(
        f"The service has of Entra's newest document, of {MOMENT}: {new}. "
        f"Kept though that lacks them: {old}, last seen {MOMENT}, until {MOMENT}.",
        found["told"],
    )
    assert "CAMUNDA_ENTRA_KEY_RETENTION=0" in found["remedy"]


def test_no_more_than_twenty_keys_are_named(run: Callable[..., Ran]) -> None:
    """A thousand would be no use to anybody; what they are called cannot move the cursor."""
    published = ["\x1b[2J", *(f"key-{number}" for number in range(24))]
    keys = {"published": published, "published_at": "now", "kept": []}
    with serving_responses(lambda _: JSONResponse({"status": "ok", "keys": keys})) as url:
        found = finding(run("doctor", "--json", "--url", url.partition(f"/{CONTOSO}")[0]))
    assert found is not None
    assert ": ?[2J; key-0; " in found["told"]
    assert found["told"].endswith("; key-18; and 5 more. None is kept from an earlier one.")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"status": "ok"}',
        b'{"keys": 7}',
        b'{"keys": {"published": [], "published_at": "", "kept": [7]}}',
        b'{"keys": {"published": [], "published_at": "", "kept": [{"kid": "x"}]}}',
    ],
)
def test_a_service_that_does_not_tell_its_keys(body: bytes, run: Callable[..., Ran]) -> None:
    """An older one, or something else at its address: not looked at."""
    with serving_responses(lambda _: Response(body)) as url:
        found = finding(run("doctor", "--json", "--url", url.partition(f"/{CONTOSO}")[0]))
    assert found is not None
    assert found["state"] == "skipped"
    assert found["told"] == "not looked at, as /auth/health is answered with status 200 and without keys"


@pytest.mark.parametrize("url", [None, "http://localhost:9", "http://operate.example.com"])
def test_a_service_that_cannot_be_asked(url: str | None, run: Callable[..., Ran]) -> None:
    """Nothing is said twice: where the address is wrong, another finding says it."""
    options = () if url is None else ("--url", url)
    assert finding(run("doctor", "--json", *options)) is None


@pytest.mark.parametrize(("retention", "state"), [("0", "note"), ("1", None), (None, None)])
def test_no_retention_is_good_to_know(
    retention: str | None, state: str | None, run: Callable[..., Ran]
) -> None:
    """It refuses good tokens (panva/wellknown: 123 absences in 143 days), for 3 hours in the median."""
    ran = run("doctor", "--json", CAMUNDA_ENTRA_KEY_RETENTION=retention)
    found = finding(ran, "key retention")
    assert ran.code == 0
    assert (found and found["state"]) == state
    if found:
        assert found["code"] == "no_key_retention"
        assert "Leave it out, for the 24 hours that Microsoft advises" in found["remedy"]
