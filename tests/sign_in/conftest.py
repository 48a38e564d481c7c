"""A site that people sign in to."""

from tests.site import emulator, make_site, site

__all__ = ["emulator", "make_site", "site"]
