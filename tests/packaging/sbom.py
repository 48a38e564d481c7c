"""The bill of materials of a wheel, in CycloneDX 1.6: ``python -m tests.packaging.sbom some.whl`` prints it.

It says what the wheel needs to run, with all extras, in the versions that are pinned here, for CPython 3.11
on Linux. Two runs print the same bytes: its number is made of the wheel's hash, its time is
SOURCE_DATE_EPOCH.
"""

import hashlib
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Final, cast
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.advisories import FOLDER, lowest, pins

MACHINE: Final = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.15",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.11.15",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""Whose environment markers count, so that every machine writes the same."""

Needs = Mapping[str, frozenset[str]]
"""For each package, itself included, those that it needs."""


def needs(headers: Message, extras: Iterable[str] = ()) -> Needs:
    """All that a distribution needs, and why, read from the metadata of what is installed."""
    graph: dict[str, set[str]] = {}
    done: set[tuple[str, frozenset[str]]] = set()

    def visit(name: str, headers: Message, extras: frozenset[str]) -> None:
        known = graph.setdefault(name, set())
        if (name, extras) in done:
            return
        done.add((name, extras))
        for line in headers.get_all("Requires-Dist", []):
            requirement = Requirement(line)
            other, marker = canonicalize_name(requirement.name), requirement.marker
            if marker and not any(marker.evaluate({**MACHINE, "extra": extra}) for extra in extras or {""}):
                continue
            if other != name:  # an extra that is made of others
                known.add(other)
            visit(other, headers if other == name else installed(other), frozenset(requirement.extras))

    own = canonicalize_name(headers["Name"])
    visit(own, headers, frozenset({"", *extras}))
    return {name: frozenset(others) for name, others in graph.items()}


def installed(name: str) -> Message:
    """The metadata of what is installed here."""
    return cast(Message, metadata(name))


def metadata_in(wheel: Path) -> Message:
    """The metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def bill_of_materials(wheel: Path, time: datetime) -> str:
    """The document, as JSON.

    Raises:
        ValueError: The environment has another version of something than the pins.
    """
    headers, digest = metadata_in(wheel), hashlib.sha256(wheel.read_bytes()).hexdigest()
    own = canonicalize_name(headers["Name"])
    whole, core = needs(headers, headers.get_all("Provides-Extra", [])), needs(headers)
    bounds = {
        Requirement(line).name: line.partition(";")[0].strip()
        for line in headers.get_all("Requires-Dist", [])
    }
    components = {
        name: _component(name, name in core, bounds.get(name)) for name in sorted(whole) if name != own
    }
    root = Component(
        type=ComponentType.LIBRARY,
        bom_ref=f"{own}=={headers['Version']}",
        name=own,
        version=headers["Version"],
        description=headers["Summary"],
        purl=PackageURL("pypi", name=own, version=headers["Version"]),
        licenses=[LicenseFactory().make_from_string(headers["License-Expression"])],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"sha256:{digest}"),
        metadata=BomMetaData(component=root, timestamp=time),
        components=components.values(),
    )
    for name, others in whole.items():
        bom.register_dependency(components.get(name, root), [components[other] for other in sorted(others)])
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


@cache
def _pinned() -> dict[str, str]:
    return dict(lowest(pins(FOLDER / "pins.txt")))


def _component(name: str, required: bool, bound: str | None) -> Component:
    headers, version = installed(name), _pinned()[name]
    if headers["Version"] != version:
        raise ValueError(
            f"{name} is {headers['Version']} here, and {version} in pins.txt. Run: make .venv/ready"
        )
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        name=name,
        version=version,
        purl=PackageURL("pypi", name=name, version=version),
        scope=ComponentScope.REQUIRED if required else ComponentScope.OPTIONAL,
        licenses=[LicenseFactory().make_from_string(text) for text in [_license(headers)] if text],
        properties=[Property(name="camunda-entra-fastapi:requirement", value=bound)] if bound else [],
    )


def _license(headers: Message) -> str:
    """Its expression; where there is none, what is short or what the classifiers say."""
    short = headers["License"] or ""
    classifiers = [text for text in headers.get_all("Classifier", []) if text.startswith("License :: ")]
    spelled = short if short and "\n" not in short else "".join(classifiers[:1]).rpartition(" :: ")[2]
    return str(headers["License-Expression"] or spelled)


if __name__ == "__main__":
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    sys.stdout.write(bill_of_materials(Path(sys.argv[1]), moment))
