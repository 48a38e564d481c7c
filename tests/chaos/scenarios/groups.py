"""All groups, in the order in which they are run."""

from typing import Final

from tests.chaos.scenario import Group
from tests.chaos.scenarios.cluster import CLUSTER
from tests.chaos.scenarios.moving import MOVING
from tests.chaos.scenarios.sentinels import SENTINELS
from tests.chaos.scenarios.single import SINGLE
from tests.chaos.scenarios.tls import TLS

GROUPS: Final[tuple[Group, ...]] = (SINGLE, MOVING, TLS, SENTINELS, CLUSTER)
