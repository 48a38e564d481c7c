"""Addresses that look odd and are right, and those that lead nobody anywhere."""

from typing import Final

ODD: Final = (
    "/x/%2541",
    "/x/%41",
    "/x/A",
    "/x/%252F%2525",
    "/x/a%2Fb",
    "/x/a%2fb",
    "/x/a/b/",
    "/x/what%3F",
    "/x/what%3F?why=%3F",
    "/x/no%231",
    "/x/50%25",
    "/x/a+b",
    "/x/a%2Bb",
    "/x/a%20b",
    "/x/caf%C3%A9",
    "/x/caf%c3%a9",
    "/x/%FF",
    "/x/%E2%82",
    "/x/a;v=1,2",
    "/x/a%3Bv%3D1",
    "/x/(a)!*'$&=:@",
    "/x/%7Eada/~ada",
    "/x/%22%3Cb%3E",
    "/x/a?q=%2F&r=a+b%20c&&=",
)
"""Each is another address than all others, and comes back to the letter."""

FROM_HAND: Final = ("/x/100%", "/x/%zz", "/x/a|b^c", "/x/[a]{b}")
"""Browsers and most clients would mend these; who does not gets them back all the same."""

LEADING_HOME: Final = (
    "//evil.example",
    "//evil.example/x",
    "///evil.example/x",
    "/%2Fevil.example",
    "/%2F%2Fevil.example",
    "/x/%2F%2Fevil.example",
    "/x//evil.example",
    "/%5Cevil.example",
    "/%5C%5Cevil.example",
    "/x%5C..%5Cevil.example",
    "/x/%2e%2e/evil.example",
    "/x/..%2Fevil.example",
    "/%2e%2e%2F%2Fevil.example",
    "/x/%00",
    "/x/%0dSet-Cookie:a=b",
    "/x/%09/evil.example",
    "/x/%7f",
)
"""What somebody could read as another site's, or as several addresses."""
