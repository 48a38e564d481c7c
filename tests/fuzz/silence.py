"""Secrets that are planted, and the search for them in all that comes out."""

import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

CLIENT_SECRET: Final = "planted-client-secret-8Q~x7x7x7x7x7x7x7"
SESSION_SECRET: Final = "planted-session-secret-of-32-letters"
REFRESH_TOKEN: Final = "1.APlanted-refresh-token-x7x7x7x7"
SHORTEST: Final = 20
"""Characters of a secret that may be looked for: shorter ones stand in texts by chance."""


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        if record.exc_info and record.exc_info[1]:
            self.texts += traceback.format_exception(record.exc_info[1])


@contextmanager
def recorded() -> Iterator[list[str]]:
    """All that this package logs meanwhile, at any level, tracebacks included."""
    logger = logging.getLogger("camunda_entra_fastapi")
    recorder, level, propagates = _Recorder(), logger.level, logger.propagate
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # pytest would keep all of it
    try:
        yield recorder.texts
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
        logger.propagate = propagates


def assert_silent(outputs: Iterable[object], secrets: Iterable[str]) -> None:
    """No secret is in any of the outputs: in their text, nor in their ``repr``."""
    texts = [form for each in outputs for form in (str(each), repr(each))]
    for secret in secrets:
        if len(secret) >= SHORTEST:
            for text in texts:
                assert secret not in text, f"{secret[:12]}... is in {text[:200]!r}"
