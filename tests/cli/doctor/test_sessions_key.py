"""doctor says what sessions are sealed under, before somebody replaces it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.sessions.conftest import RedisServer


@pytest.mark.parametrize(("secret", "derived"), [("", True), ("s" * 32, False)])
@pytest.mark.parametrize("in_redis", [False, True])
def test_whether_a_new_client_secret_signs_everybody_out(
    in_redis: bool, secret: str, derived: bool, run: Callable[..., Ran], tmp_path: Path
) -> None:
    """While no session secret is set, the client secret is in its place, with cookies as with a Redis."""
    server = RedisServer(tmp_path)
    server.start()
    store = server.url if in_redis else "cookie"
    ran = run("doctor", CAMUNDA_ENTRA_SESSION_STORE=store, CAMUNDA_ENTRA_SESSION_SECRET=secret)
    server.stop()
    text = " ".join(ran.output.split())
    assert ("Redis" in text) is in_redis
    assert ("a new client secret signs everybody out" in text) is derived
