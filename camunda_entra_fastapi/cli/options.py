"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

EnvFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        readable=True,
        help="The service's variables, as docker run takes them. Those of this shell do not count then.",
    ),
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A variable of the service; may be given several times."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
