"""Whose pages these are: the application's title, logo and colour, and who may show them in a frame."""

import base64
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from starlette.requests import HTTPConnection

MAX_LOGO: Final = 65_536
"""Bytes of a logo, which comes with every page."""
_KEY: Final = "camunda_entra_branding"
"""The name of the application's state that has the branding."""
FRAME_ANCESTORS: Final = "camunda_entra_fastapi.frame_ancestors"
"""Key of the scope: the origins whose pages may show ours in a frame."""
_NO_TITLE: Final = "FastAPI"
"""FastAPI's title for applications that have none."""
_MEDIA_TYPES: Final = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
_COLOR: Final = re.compile("#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_MIN_CONTRAST: Final = 4.5
"""Of text and what is behind it (WCAG 2.2, 1.4.3)."""
_STEPS: Final = 100
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_LIGHT_GROUND: Final = (0xF5, 0xF6, 0xF8)
"""The darkest ground that the colour stands on in the light scheme; see style.css."""
_DARK_GROUND: Final = (0x1C, 0x22, 0x2B)
"""The lightest one in the dark scheme."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Branding:
    """What the pages have of the application.

    Attributes:
        title: The application's title; empty without one of its own.
        logo: A ``data:`` URL; empty without a logo.
        css: Rules that set the colour in both schemes; empty for ours.
        frame_ancestors: The origins whose pages may show them in a frame.
    """

    title: str = ""
    logo: str = ""
    css: str = ""
    frame_ancestors: tuple[str, ...] = ()


def read_branding(logo: str | Path | None, accent_color: str | None) -> Branding:
    """The branding that ``install`` was given.

    Args:
        logo: The file of a picture.
        accent_color: The colour of buttons and links, as ``#1d5fa8``.

    Raises:
        ValueError: The file is no picture or too large, or the colour is none or too faint.
    """
    return Branding(
        logo="" if logo is None else _read_logo(Path(logo)),
        css="" if accent_color is None else _accent_css(accent_color),
    )


def set_branding(state: object, branding: Branding) -> None:
    """Keep the branding in the application's state."""
    setattr(state, _KEY, branding)


def share_branding(app: Any, mounted: Any) -> None:
    """Let a mounted application's pages have the branding of the application around it, but its own title."""
    if not hasattr(mounted.state, _KEY):
        set_branding(mounted.state, replace(getattr(app.state, _KEY), title=_title_of(app)))


def branding_of(connection: HTTPConnection) -> Branding:
    """The branding of the application that answers the request."""
    app = connection.scope.get("app")
    kept = getattr(getattr(app, "state", None), _KEY, Branding())
    ancestors = connection.scope.get(FRAME_ANCESTORS, ())
    return Branding(_title_of(app) or kept.title, kept.logo, kept.css, ancestors)


def _title_of(app: object) -> str:
    title = str(getattr(app, "title", ""))
    return "" if title == _NO_TITLE else title


def _read_logo(path: Path) -> str:
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise ValueError(f"logo is a file with the ending {', '.join(_MEDIA_TYPES)}, and not {path.name!r}.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LOGO + 1)
    except OSError as error:
        raise ValueError(f"The logo {path.name!r} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_LOGO:
        raise ValueError(
            f"The logo {path.name!r} is larger than {MAX_LOGO // 1024} KiB, and comes with every page."
        )
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _accent_css(color: str) -> str:
    """The colour as it is in the light scheme; a tint that can be read in the dark one."""
    if not _COLOR.fullmatch(color):
        raise ValueError(f"accent_color is written as #1d5fa8, and not as {color[:40]!r}.")
    digits = color[1:] if len(color) > 4 else "".join(2 * digit for digit in color[1:])  # noqa: PLR2004 - #rgb
    light = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
    if (ratio := _contrast(light, _LIGHT_GROUND)) < _MIN_CONTRAST:
        better = _hex(_readable(light, _BLACK, _LIGHT_GROUND))
        raise ValueError(
            f"accent_color {color} has a contrast of {ratio:.2f}:1 to the pages' light ground. People need "
            f"4.5:1 to read it (WCAG 2.2, 1.4.3), which {better} has."
        )
    dark = _readable(light, _WHITE, _DARK_GROUND)
    by_day = _rule(light, _mix(light, _BLACK, 25), "#ffffff")
    by_night = _rule(dark, _mix(dark, _WHITE, 35), "#12161c")
    return f"{by_day}\n@media (prefers-color-scheme: dark) {{ {by_night} }}"


def _rule(key: Rgb, strong: Rgb, on_key: str) -> str:
    return f":root {{ --key: {_hex(key)}; --key-strong: {_hex(strong)}; --on-key: {on_key}; }}"


def _readable(color: Rgb, towards: Rgb, ground: Rgb) -> Rgb:
    """The mixture with the least of the other colour that can be read."""
    mixtures = (_mix(color, towards, step) for step in range(_STEPS + 1))
    return next(mixture for mixture in mixtures if _contrast(mixture, ground) >= _MIN_CONTRAST)


def _mix(color: Rgb, other: Rgb, percent: int) -> Rgb:
    red, green, blue = (
        part + round((goal - part) * percent / _STEPS) for part, goal in zip(color, other, strict=True)
    )
    return red, green, blue


def _contrast(one: Rgb, other: Rgb) -> float:
    """The ratio of WCAG 2.2."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Rgb) -> float:
    """The relative luminance of WCAG 2.2."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - of WCAG 2.2
        for part in (value / 255 for value in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(color: Rgb) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)
