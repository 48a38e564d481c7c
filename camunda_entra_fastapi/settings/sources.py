"""The sources of settings: keyword arguments, the environment, ``.env`` and a folder of secret files.

A variable may be spelled in several ways and set in several places. This module finds the value
of each setting; ``values``, ``urls`` and ``issuers`` validate it.
"""

import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
)

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.settings import misspellings, orchestration
from camunda_entra_fastapi.settings.misspellings import CAMUNDA_PREFIX, OWN_PREFIX
from camunda_entra_fastapi.telemetry import logger

SECRETS_DIR: Final = "CAMUNDA_ENTRA_SECRETS_DIR"
"""The variable with the folder of secret files; it says where settings are, so it is none itself."""

MAX_FILE_BYTES: Final = 64 * 1024
"""The limit of a secret file; no setting is nearly as long."""

_CAMUNDA_FIELDS: Final = frozenset(
    {"type", "issuer", "issuer_backend_url", "client_id", "client_secret", "audience"}
)


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """Takes the place of a value that cannot be read; ``problem`` is a sentence with the reason."""

    problem: str


def variables_of(field: str) -> tuple[str, ...]:
    """The variables that set the field, the documented one first.

    Camunda's SDK writes its variables without the underscores inside the name.
    """
    if field not in _CAMUNDA_FIELDS:
        return (OWN_PREFIX + field.upper(),)
    name = field.upper()
    return tuple(dict.fromkeys((CAMUNDA_PREFIX + name, CAMUNDA_PREFIX + name.replace("_", ""))))


def clean(value: str) -> str:
    """The value without surrounding blanks, and without quotes that a ``--env-file`` keeps."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].strip()
    return value


def arguments_by_field(arguments: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Keyword arguments by the field that they set, whether they name the field or a variable.

    Empty text, and None where the field cannot be None, count as not given. Names with an
    underscore in front belong to pydantic-settings and stay as they are.
    """
    field_of = {variable: field for field in fields for variable in variables_of(field)}
    named: dict[str, Any] = {}
    for name, argument in arguments.items():
        if name.startswith("_"):
            named[name] = argument
            continue
        field = field_of.get(name.upper(), name.lower() if name.lower() in fields else name)
        value: Any = clean(argument) if isinstance(argument, str) else argument
        if value in ("", SecretStr("")) or (value is None and _is_never_none(fields.get(field))):
            continue
        if field in named and named[field] != value:
            value = InvalidValue(
                f"{variables_of(field)[0]} is given by two arguments that differ. Keep one of them."
            )
        named[field] = value
    return named


def _is_never_none(field: FieldInfo | None) -> bool:
    return field is not None and field.default is not None


class VariablesSource(PydanticBaseSettingsSource):
    """Environment, ``.env`` and secret files, in this order of precedence.

    They are one source because all spellings of a variable must agree wherever they are set. Values
    leave it as ``SecretStr``: pydantic-settings can log what its sources give.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        environment: PydanticBaseSettingsSource,
        dotenv: PydanticBaseSettingsSource,
        files: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._known = {variable for field in settings_cls.model_fields for variable in variables_of(field)}
        self._variables: ChainMap[str, str | InvalidValue] = ChainMap(
            _cleaned(cast(EnvSettingsSource, environment).env_vars),
            _cleaned(cast(EnvSettingsSource, dotenv).env_vars),
        )
        self._orchestration: dict[str, object] = {}
        folders: Any = cast(SecretsSettingsSource, files).secrets_dir or self._variables.get(SECRETS_DIR, ())
        self._folders: list[Any] = [folders] if isinstance(folders, str | os.PathLike) else list(folders)

    def __call__(self) -> dict[str, Any]:
        """The values by field; an ``InvalidValue`` where they are contradictory or not readable."""
        for warning in misspellings.warnings_of(self._variables, {*self._known, SECRETS_DIR}):
            logger.warning("%s", warning)
        values: dict[str, Any] = {}
        files: dict[str, str | InvalidValue] = {}
        for folder in self._folders:
            try:
                files.update(self._read_folder(Path(folder).expanduser()))
            except (OSError, RuntimeError):
                values[SECRETS_DIR] = InvalidValue(
                    f"{SECRETS_DIR} names {quoted(str(folder))}, which is not a folder that can be read. "
                    "Mount the secrets there, or give another folder, for example /run/secrets."
                )
        self._variables.maps.append(files)
        self._orchestration, without_use = orchestration.in_force(self._variables)
        if without_use:
            logger.warning(
                "Without effect on this service: %s. Endpoints are discovered, Entra's own claims tell "
                "people and applications apart, and CAMUNDA_ENTRA_* settings say the rest.",
                ", ".join(quoted(name, 80) for name in without_use),
            )
        for field, info in self.settings_cls.model_fields.items():
            value, name, _ = self.get_field_value(info, field)
            if value is not None:
                values[name] = value
        return self._completed(self._workload_identity() | values)

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values, and what the Orchestration Cluster's variables imply or lack."""
        if self._orchestration:
            # Camunda's method says OpenID Connect, and the issuer which provider.
            values.setdefault("type", SecretStr("MICROSOFT"))
            for field, own in (("issuer", orchestration.ISSUER), ("client_id", orchestration.CLIENT_ID)):
                values.setdefault(field, InvalidValue(orchestration.missing(own, variables_of(field)[0])))
        elif problem := orchestration.not_in_force(self._variables):
            if "type" in values:
                logger.warning("%s", problem)
            values.setdefault("type", InvalidValue(problem))
        return values

    def _workload_identity(self) -> dict[str, Any]:
        """Client ID and issuer of Azure's workload identity, for settings that nothing else sets."""
        if "AZURE_FEDERATED_TOKEN_FILE" not in self._variables:
            return {}  # the variables below may be meant for other tools of Azure
        client_id, tenant = self._variables.get("AZURE_CLIENT_ID"), self._variables.get("AZURE_TENANT_ID")
        host = str(self._variables.get("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"))
        values = {"client_id": client_id, "issuer": tenant and f"{host.rstrip('/')}/{tenant}/v2.0"}
        return {name: SecretStr(str(value)) for name, value in values.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """The value of the field's variables; None without one."""
        values: dict[str, object] = {
            name: self._variables[name] for name in variables_of(field_name) if name in self._variables
        }
        for value in values.values():
            if isinstance(value, InvalidValue):
                return value, field_name, False
        texts = [str(value) for value in values.values()]
        spellings = orchestration.SPELLINGS.get(field_name, {})
        for name, given in self._orchestration.items():
            if (read := spellings.get(orchestration.documented(name))) is None:
                continue
            if isinstance(given, InvalidValue):
                return given, field_name, False
            try:
                text = read(str(given))
            except ValueError as error:
                return InvalidValue(f"{name} {error}"), field_name, False
            if text is not None:
                values[name] = given
                texts.append(orchestration.SpelledText(text, name))
        if not orchestration.is_same(field_name, set(texts)):
            which = "the two" if len(values) == 2 else "them"  # noqa: PLR2004
            problem = f"{' and '.join(values)} mean the same, but have different values. Keep one of {which}."
            return InvalidValue(problem), field_name, False
        return (SecretStr(texts[0]) if texts else None), field_name, False

    def _read_folder(self, folder: Path) -> dict[str, str | InvalidValue]:
        """The variables in files of the folder, which are named after them in any case."""
        known = self._known | orchestration.READ | {orchestration.METHOD}
        names = ((path.name.upper(), path) for path in folder.iterdir())
        files = {name: path for name, path in names if {name, orchestration.documented(name)} & known}
        values = {name: _read_file(name, path) for name, path in files.items() if path.is_file()}
        return {name: value for name, value in values.items() if value}


def _cleaned(variables: Mapping[str, str | None]) -> dict[str, str | InvalidValue]:
    """The variables by their names in upper case; those without a value are left out."""
    values = ((name.upper(), clean(value or "")) for name, value in variables.items())
    return {name: value for name, value in values if value}


def _read_file(name: str, path: Path) -> str | InvalidValue:
    """The text in a secret file, or the reason why it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return InvalidValue(
            f"{name} has a secret file that is no readable UTF-8 text. Put the bare value in it."
        )
    if len(content) > MAX_FILE_BYTES:
        return InvalidValue(
            f"{name} has a secret file of more than {MAX_FILE_BYTES} bytes. Put the value in it."
        )
    return clean(text)
