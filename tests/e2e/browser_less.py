"""A person without a screen, who follows the local Entra's pages as a browser would."""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx


@dataclass
class Form:
    """A form of a page: where it goes, what it sends along, and what its buttons add."""

    method: str
    action: str | None
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """What is written on each button, and the field that it sends."""


class Page(HTMLParser):
    """The forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._label: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(has.get("method", "get"), has.get("action")))
        elif tag == "input" and has.get("type") == "hidden":
            self.forms[-1].fields[has["name"]] = has["value"]
        elif tag == "button":
            sent = {has["name"]: has["value"]} if "name" in has else {}
            self._label = []
            self.forms[-1].buttons.append(("", sent))

    def handle_data(self, data: str) -> None:
        if self._label is not None:
            self._label.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._label is not None:
            self.forms[-1].buttons[-1] = "".join(self._label).strip(), self.forms[-1].buttons[-1][1]
            self._label = None


class Person:
    """Somebody with a browser of their own, in which they stay signed in."""

    def __init__(self, authority: Path) -> None:
        self._http = httpx.Client(verify=ssl.create_default_context(cafile=str(authority)), trust_env=False)
        self.address = ""
        self.text = ""
        self.answer: dict[str, str] | None = None
        """What an application was answered, once a page led away from its site."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def open(self, address: str) -> None:
        """Open a page, and go where it leads within its site."""
        self._go("GET", address)

    def press(self, label: str, **typed: str) -> None:
        """Press the button that begins with those words, once the form's fields are typed in."""
        page = Page(self.text)
        for form in page.forms:
            for shown, sent in form.buttons:
                if shown.startswith(label):
                    values = form.fields | typed | sent
                    self._go(form.method, urljoin(self.address, form.action or self.address), values)
                    return
        raise AssertionError(f"No button {label!r} on the page {self.address}: {self.text}")

    def arrive(self, address: str, *presses: str) -> dict[str, str]:
        """Open a page, press those buttons, and tell what the application is answered."""
        self.open(address)
        for label in presses:
            self.press(label)
        assert self.answer is not None, f"The person is still on the page {self.address}: {self.text}"
        return self.answer

    def _go(self, method: str, address: str, values: dict[str, str] | None = None) -> None:
        """One request, and those that it leads to. What would leave the site is the answer instead."""
        if method.upper() == "POST":
            response = self._http.post(address, data=values)
        else:
            response = self._http.get(address, params=values)
        self.address, self.text, self.answer = str(response.url), response.text, None
        if target := response.headers.get("location"):
            if self._stays(target):
                self._go("GET", urljoin(self.address, target))
            else:
                query = parse_qs(urlsplit(target).query)
                self.answer = {name: values[0] for name, values in query.items()}
            return
        for form in Page(self.text).forms:
            if form.action and not self._stays(form.action):  # the page's script submits it at once
                self.answer = form.fields

    def _stays(self, target: str) -> bool:
        """Whether that is on the same site."""
        return urlsplit(urljoin(self.address, target))[:2] == urlsplit(self.address)[:2]
