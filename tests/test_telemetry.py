"""Metrics and log lines for operators."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.token_validator import TokenValidator
from tests.conftest import FakeClock
from tests.measuring import metric_reader
from tests.remote.scripted import LIFETIME, ScriptedEntra
from tests.tokens import NOW, token, user_claims
from tests.validation.conftest import POLICY, verdict
from tests.web.conftest import bearer

LOGGER: Final = "camunda_entra_fastapi"

NOT_COUNTED: Final = {"camunda_entra.validation.duration", "camunda_entra.keys.age"}
"""A histogram, and a gauge that other tests' keys have, too, for as long as they are there."""
Points = dict[frozenset[tuple[str, Any]], Any]
"""The measurements since the last read, by attributes."""


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    """The metrics of this process; the package was imported long before, as it is in applications."""
    return metric_reader()


@pytest.fixture(autouse=True)
def look_afresh(reader: InMemoryMetricReader) -> None:
    """Discard the counts of other tests."""
    reader.get_metrics_data()


@pytest.fixture
def clock() -> FakeClock:
    """The moment at which all tokens of these tests are looked at."""
    return FakeClock(float(NOW))


@pytest.fixture
def entra() -> ScriptedEntra:
    """An Entra with one key."""
    return ScriptedEntra()


@pytest.fixture
def validator(entra: ScriptedEntra, clock: FakeClock) -> TokenValidator:
    """A validator that asks it."""
    return TokenValidator(entra.source(clock), POLICY, cache_size=100, clock=clock)


def measured(reader: InMemoryMetricReader) -> dict[str, tuple[Metric, Points]]:
    """All that was measured since the last look, by name."""
    data = reader.get_metrics_data()
    found = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                # Newer versions of FastAPI measure requests by the same provider.
                is_ours = metric.name.startswith("camunda_entra.")
                assert is_ours is (scope.scope.name == "camunda_entra_fastapi")
                if not is_ours:
                    continue
                points = {
                    frozenset((point.attributes or {}).items()): point for point in metric.data.data_points
                }
                found[metric.name] = (metric, points)
    return found


def counts(reader: InMemoryMetricReader) -> dict[str, dict[tuple[object, ...], int]]:
    """The counters' growth, by name and the attributes' values in the order of their names."""
    return {
        name: {tuple(value for _, value in sorted(key)): point.value for key, point in points.items()}
        for name, (_, points) in measured(reader).items()
        if name not in NOT_COUNTED and any(point.value for point in points.values())
    }


async def test_tokens_are_counted_by_outcome(validator: TokenValidator, reader: InMemoryMetricReader) -> None:
    """``accepted`` or the code of the refusal; those cached are counted apart."""
    good = token(user_claims())
    for text in (good, good, good, token(user_claims(aud="x")), token(user_claims(aud="y")), "nonsense"):
        await verdict(validator, text)
    assert counts(reader) == {
        "camunda_entra.validations": {
            ("accepted",): 1,
            ("audience_mismatch",): 2,
            ("token_malformed",): 1,
        },
        "camunda_entra.remembered_hits": {(): 2},
        "camunda_entra.refreshes": {
            ("discovery document", "succeeded"): 1,
            ("signing keys", "succeeded"): 1,
        },
    }


async def test_failed_fetches_and_the_tokens_that_suffer_are_counted(
    validator: TokenValidator, entra: ScriptedEntra, reader: InMemoryMetricReader
) -> None:
    """One fetch, and each token that could not be validated for it."""
    entra.down()
    for _ in range(3):
        await verdict(validator, token(user_claims()))
    assert counts(reader) == {
        "camunda_entra.validations": {("keys_unavailable",): 3},
        "camunda_entra.refreshes": {("discovery document", "failed"): 1, ("signing keys", "failed"): 1},
    }


async def test_what_is_broken_off_is_counted_as_failed(
    validator: TokenValidator, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes away while keys are fetched got no verdict."""
    task = asyncio.create_task(validator.validate_text(token(user_claims())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts(reader)["camunda_entra.validations"] == {("failed",): 1}


async def test_the_time_of_validation_is_measured_by_outcome(
    entra: ScriptedEntra, clock: FakeClock, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In seconds of the monotonic clock, a wait for keys included; cached tokens are not in it."""
    source = entra.source(clock)
    find = source.find

    async def slow_find(key_id: str) -> Any:
        clock.advance(0.25)
        return await find(key_id)

    monkeypatch.setattr(source, "find", slow_find)
    validator = TokenValidator(source, POLICY, cache_size=100, clock=clock)
    good = token(user_claims())
    for text in (good, good, token(user_claims(aud="x"))):
        await verdict(validator, text)
    metric, points = measured(reader)["camunda_entra.validation.duration"]
    assert metric.unit == "s"
    assert {dict(key)["outcome"]: (point.count, point.sum) for key, point in points.items()} == {
        "accepted": (1, 0.25),
        "audience_mismatch": (1, 0.0),  # its key is known by then
    }


async def test_the_attributes_are_the_documented_ones_and_never_a_token(
    validator: TokenValidator, entra: ScriptedEntra, clock: FakeClock, reader: InMemoryMetricReader
) -> None:
    """Few values each, none of which a stranger can choose: a label for each token would be a flood."""
    strange = [token(user_claims(), {"alg": "RS256", "kid": f"kid-{number}"}) for number in range(20)]
    for text in (token(user_claims()), token(user_claims()), *strange, "secret-secret", "a.b.c"):
        await verdict(validator, text)
    entra.down()
    clock.advance(LIFETIME)
    await verdict(validator, token(user_claims(exp=NOW + 9000)))
    for _ in range(50):
        await asyncio.sleep(0)
    found = measured(reader)
    ages = found.pop("camunda_entra.keys.age")[1]
    assert {next(iter(key))[0] for key in ages} == {"issuer"}
    assert {
        name: {attribute for key in points for attribute, _ in key} for name, (_, points) in found.items()
    } == {
        "camunda_entra.validations": {"outcome"},
        "camunda_entra.session.leased_hits": set(),
        "camunda_entra.remembered_hits": set(),
        "camunda_entra.refreshes": {"document", "outcome"},
        "camunda_entra.validation.duration": {"outcome"},
    }
    values = {str(value) for _, points in found.values() for key in points for _, value in key}
    assert values == {
        *("accepted", "key_unknown", "token_malformed"),
        *("discovery document", "signing keys", "succeeded", "failed"),
    }


def test_there_is_one_logger_named_after_the_package() -> None:
    """So that one line of configuration reaches all of it."""
    assert logger.name == LOGGER


# --- the log of a whole application ---------------------------------------------------------


@pytest.fixture
def emulator() -> EntraEmulator:
    """A local Entra of the test's own."""
    return EntraEmulator()


def application(emulator: EntraEmulator, **overrides: Any) -> FastAPI:
    """An application with one route for those who may."""
    entra = CamundaEntra(emulator.settings(**overrides), http_client=emulator.http_client())
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/", dependencies=[Depends(entra.require(roles=["Operate.Admin"]))])
    async def guarded() -> dict[str, bool]:
        return {"ok": True}

    return app


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of what our logger said."""
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name == LOGGER]


def refusals(emulator: EntraEmulator) -> Mapping[str, str]:
    """A token for each kind of refusal, by its code."""
    good = emulator.token()
    header, payload, signature = good.split(".")
    return {
        "token_malformed": f"{header}.{payload}",
        "token_too_large": good + "A" * 20_000,
        "token_encrypted": f"{good}.{payload}.{payload}",
        "algorithm_not_allowed": emulator.token(header={"alg": "PS256"}),
        "header_not_allowed": emulator.token(header={"jku": "https://evil.example/keys"}),
        "key_missing": emulator.token(header={"kid": None}),
        "key_unknown": emulator.token(header={"kid": "invented"}),
        "signature_invalid": f"{header}.{payload}.{'A' * len(signature)}",
        "claim_missing": emulator.token(sub=None),
        "claim_malformed": emulator.token(exp="tomorrow"),
        "graph_token": emulator.token(aud="00000003-0000-0000-c000-000000000000"),
        "issuer_mismatch": emulator.token(iss="https://login.evil.example/v2.0"),
        "audience_mismatch": emulator.token(aud="api://other"),
        "token_expired": emulator.token(lifetime=-3600),
        "token_not_yet_valid": emulator.token(nbf=4_000_000_000),
        "id_token": emulator.id_token(),
        "app_without_permissions": emulator.token(app_only=True, roles=[]),
        "guest_not_allowed": emulator.token(acct=1),
        "role_missing": emulator.token(roles=["Operate.Reader"]),
    }


def test_a_refused_token_is_one_line_with_code_and_reason_and_never_the_token(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """For every kind of refusal, over the whole log at all levels, whoever writes into it."""
    caplog.set_level(logging.DEBUG)
    tokens = refusals(emulator)
    with TestClient(application(emulator, allow_guests=False)) as client:
        for code, text in tokens.items():
            before = len(lines(caplog))
            answer = client.get("/", headers=bearer(text))
            detail = answer.json()["detail"]
            assert detail["code"] == code
            fresh = [line for line in lines(caplog)[before:] if "fetched" not in line[1]]
            remedy = f" Remedy: {REMEDIES[code]}"
            assert fresh == [("INFO", f"Request refused: {code}: {detail['message']}{remedy}")]
            for part in text.split("."):
                assert len(part) < 20 or part not in answer.text + str(answer.headers)
    everything = "\n".join(
        f"{record.getMessage()} {record.__dict__} {record.exc_text}" for record in caplog.records
    )
    secrets = {part for text in tokens.values() for part in text.split(".") if len(part) >= 20}
    assert len(secrets) > len(tokens)
    assert not [secret for secret in secrets if secret in everything]


def test_an_accepted_token_is_no_line_and_never_in_the_log(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests are the access log's business."""
    caplog.set_level(logging.DEBUG)
    text = emulator.token(roles=["Operate.Admin"])
    with TestClient(application(emulator)) as client:
        before = len(lines(caplog))
        for _ in range(2):
            assert client.get("/", headers=bearer(text)).status_code == 200
        assert len(lines(caplog)) == before
    assert text.split(".")[1] not in caplog.text


def test_refreshes_are_visible_at_info(emulator: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """Which document, and that it came; once at start, and once for a new key."""
    caplog.set_level(logging.INFO)
    with TestClient(application(emulator)) as client:
        warning, *others = lines(caplog)
        assert warning[0] == "WARNING"
        assert "is the local Entra" in warning[1]
        assert others == [
            ("INFO", "Entra's discovery document fetched"),
            ("INFO", "Entra's signing keys fetched"),
        ]
        emulator.rotate_keys()
        assert client.get("/", headers=bearer(emulator.token(roles=["Operate.Admin"]))).status_code == 200
        assert lines(caplog)[3:] == [("INFO", "Entra's signing keys fetched")]


def test_faults_are_visible_at_warning(emulator: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """With what they mean for requests, and when it is tried again."""
    emulator.down()
    with TestClient(application(emulator)) as client:
        found = lines(caplog)
        ((level, text),) = found  # not one for the document, and one for the keys that it names
        assert level == "WARNING"
        assert "discovery document could not be fetched (" in text
        assert text.endswith("requests with tokens get 503, next attempt in 1 s")
        assert client.get("/", headers=bearer(emulator.token())).status_code == 503
