"""What each setting is for, which the documentation's page of settings is ordered by."""

from enum import Enum


class Group(Enum):
    """The need that a setting is for, in the order in which readers have it."""

    MUST_HAVE = "must have"
    SIGN_IN = "sign-in"
    SESSIONS = "sessions"
    LET_IN = "who is let in"
    NETWORK = "network"
    RARE = "rare"
