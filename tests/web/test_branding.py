"""The pages are the application's: its title, and the logo and colour that ``install`` was given."""

import base64
import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web.pages import Page, render
from camunda_entra_fastapi.web.pages.branding import MAX_LOGO, Branding, read_branding
from tests.site import MakeSite

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
LIGHT_GROUND, DARK_GROUND = "#f5f6f8", "#1c222b"
"""The grounds of links in style.css that are the hardest to read on."""


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    """A picture."""
    path = tmp_path / "logo.svg"
    path.write_bytes(SVG)
    return path


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, from its formula."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


async def test_title_logo_and_colour_are_on_every_page(make_site: MakeSite, logo: Path) -> None:
    """Of sign-in and of refusals alike; the logo comes with the page, and nothing is loaded."""
    site = make_site(app=FastAPI(title="Orders & Co"), install={"logo": logo, "accent_color": "#7a1fa2"})
    for path in ("/auth/login-callback", "/auth/login-callback?state=x&code=y"):
        page = await site.browser().open(path)
        assert "· Orders &amp; Co</title>" in page.text
        data = base64.b64encode(SVG).decode()
        assert f'<img src="data:image/svg+xml;base64,{data}" alt="">Orders &amp; Co</p>' in page.text
        assert "--key: #7a1fa2" in page.text
        assert "; img-src data:; " in page.headers["content-security-policy"]


async def test_without_a_title_of_its_own_an_application_has_none(make_site: MakeSite) -> None:
    """*FastAPI* is nobody's name."""
    page = await make_site().browser().open("/auth/login-callback")
    assert "<title>You are signed out</title>" in page.text
    assert 'class="application"' not in page.text
    assert "img-src" not in page.headers["content-security-policy"]


async def test_a_mounted_application_has_its_own_name(make_site: MakeSite) -> None:
    """Not that of the one around it."""

    def around(app: FastAPI) -> FastAPI:
        outer = FastAPI(title="Everything")
        outer.mount("/orders", app)
        return outer

    site = make_site(app=FastAPI(title="Orders"), entrance=around)
    page = await site.browser().open("/orders/auth/login-callback")
    assert "<title>You are signed out · Orders</title>" in page.text


@pytest.mark.parametrize("color", ["#1d5fa8", "#000", "#757500", "#7a1fa2", "#A00000", "#005a5a"])
def test_every_colour_that_is_taken_can_be_read_in_both_schemes(color: str) -> None:
    """As it is in the light one, as a tint in the dark one; and so can what is written on it."""
    css = read_branding(None, color).css
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in css.split("@media"))
    for colors, ground in ((light, LIGHT_GROUND), (dark, DARK_GROUND)):
        assert contrast(colors["key"], ground) >= 4.5
        assert contrast(colors["key-strong"], ground) >= 4.5
        assert contrast(colors["key"], colors["on-key"]) >= 4.5
        assert contrast(colors["key-strong"], colors["on-key"]) >= 4.5


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    """So that a new ground is not forgotten where contrast is computed."""
    style = render(Page("t", "w"))[0]
    for scheme, ground, names in ((0, LIGHT_GROUND, ("card", "inset")), (1, DARK_GROUND, ("card", "inset"))):
        text = style.split("@media (prefers-color-scheme: dark)")[scheme]
        for name in names:
            found = re.findall(rf"--{name}: (#[0-9a-f]{{6}})", text)[0]
            worst = min if scheme == 0 else max
            assert worst(int(found[1:], 16), int(ground[1:], 16)) == int(ground[1:], 16)


@pytest.mark.parametrize("color", ["#ffcc00", "#fff", "#8fc0f5", "#777777"])
def test_a_colour_that_cannot_be_read_is_refused_with_one_that_can(
    emulator: EntraEmulator, color: str
) -> None:
    """At start, with its contrast; the colour in the message is taken."""
    entra = CamundaEntra(emulator.settings())
    with pytest.raises(ValueError, match=f"accent_color {color} has a contrast of") as caught:
        entra.install(FastAPI(), accent_color=color)
    better = re.findall("which (#[0-9a-f]{6}) has", str(caught.value))[0]
    entra.install(FastAPI(), accent_color=better)


@pytest.mark.parametrize("color", ["", "red", "#12", "#12345", "1d5fa8", "#1d5fa8; }", "#1d5fa8\n"])
def test_other_ways_to_write_colours_are_refused(color: str) -> None:
    """Nothing else gets into the style sheet."""
    with pytest.raises(ValueError, match="accent_color is written as #1d5fa8"):
        read_branding(None, color)


def test_a_logo_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """Not there, no picture, or too large to come with every page."""
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * (MAX_LOGO + 1))
    for name, words in (
        ("large.png", "is larger than 64 KiB"),
        ("gone.svg", "cannot be read: No such file"),
        ("logo.gif", "logo is a file with the ending .svg"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            read_branding(tmp_path / name, None)
    large.write_bytes(b"x" * MAX_LOGO)
    assert read_branding(str(large), None).logo.startswith("data:image/png;base64,eHh4")


def test_a_logo_without_a_title_is_shown() -> None:
    """An application may have no other name."""
    html, _ = render(Page("t", "w"), Branding(logo="data:image/png;base64,eA=="))
    assert '<p class="application"><img src="data:image/png;base64,eA==" alt=""></p>' in html
