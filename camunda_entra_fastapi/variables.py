"""Where settings come from: the environment, a ``.env`` file, a folder of secret files.

Camunda writes some variables in two ways; both mean the same, and two different values for one
setting are a mistake wherever they come from. An empty variable counts as not set, since compose
files and charts pass on what nobody filled in.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.telemetry import logger

SECRETS_DIR: Final = "CAMUNDA_ENTRA_SECRETS_DIR"
"""Names a folder with one file per variable, as containers mount secrets."""

_CAMUNDAS: Final = ("type", "issuer", "issuer_backend_url", "client_id", "client_secret", "audience")
_MAX_SECRET_BYTES: Final = 64 * 1024


def variable_of(field: str) -> str:
    """The variable that sets the field, in its documented spelling."""
    return f"CAMUNDA_{'IDENTITY' if field in _CAMUNDAS else 'ENTRA'}_{field.upper()}"


def spellings_of(field: str) -> tuple[str, ...]:
    """All variables that set the field; Camunda's SDK writes its own without inner underscores."""
    documented = variable_of(field)
    if field not in _CAMUNDAS:
        return (documented,)
    return tuple(dict.fromkeys((documented, f"CAMUNDA_IDENTITY_{field.replace('_', '').upper()}")))


class VariablesSource(PydanticBaseSettingsSource):
    """The fields' values from all variables, the environment before ``.env`` before secret files."""

    def __init__(
        self,
        settings: type[BaseSettings],
        environment: EnvSettingsSource,
        dotenv: EnvSettingsSource,
        secrets_dir: str | Path | None,
    ) -> None:
        super().__init__(settings)
        self._written = {**_clean(dotenv.env_vars), **_clean(environment.env_vars)}
        secrets = secrets_dir or self._written.get(SECRETS_DIR)
        self._values = {**(_read_secrets(Path(secrets)) if secrets else {}), **self._written}

    def get_field_value(self, _: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of one field, under its own name."""
        found = {name: self._values[name] for name in spellings_of(field_name) if name in self._values}
        if len(set(found.values())) > 1:
            raise ValueError(
                f"{' and '.join(found)} mean the same and have different values. Set one of them only."
            )
        return next(iter(found.values()), None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All fields that a variable sets; under ``CONTRADICTIONS`` those that two set differently."""
        values: dict[str, Any] = {}
        contradictions: dict[str, str] = {}
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key, _ = self.get_field_value(field, name)
            except ValueError as error:
                contradictions[name] = str(error)
                continue
            if value is not None:
                values[key] = value
        self._warn_of_typos()
        if contradictions:
            values[CONTRADICTIONS] = contradictions
        return values

    def _warn_of_typos(self) -> None:
        known = [name for field in self.settings_cls.model_fields for name in spellings_of(field)]
        for name in sorted(self._written):
            if name.startswith("CAMUNDA_ENTRA_") and name not in (*known, SECRETS_DIR):
                nearest = get_close_matches(name, known, n=1)
                hint = f" Did you mean {nearest[0]}?" if nearest else ""
                logger.warning("%s is no setting of camunda_entra_fastapi and has no effect.%s", name, hint)


CONTRADICTIONS: Final = "contradictions"
"""Under this name the settings learn which fields two spellings set differently, and how to say so."""


def _clean(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Names in upper case; values without blanks and quotes around them, which ``--env-file`` leaves in."""
    cleaned = {}
    for name, value in variables.items():
        text = (value or "").strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1].strip()
        if text:
            cleaned[name.upper()] = text
    return cleaned


def _read_secrets(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise SettingsError([f"{SECRETS_DIR} is {str(folder)!r}, which is not a folder."])
    files = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.upper().startswith("CAMUNDA_") and entry.is_file():
                with Path(entry.path).open(encoding="utf-8") as file:
                    files[entry.name] = file.read(_MAX_SECRET_BYTES)
    return _clean(files)
