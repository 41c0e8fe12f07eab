"""`slipway simulator`: Azure on one loopback port, for the real SDKs."""

import asyncio
import ipaddress
from pathlib import Path
from typing import Annotated

import typer

from app.core.errors import OperatorError
from app.simulator.settings import LATENCIES, SimulatorSettings
from app.targets.isolation import isolation_level

_Host = Annotated[str, typer.Option(help="Address to listen on.")]
_Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")]
_Speed = Annotated[
    float, typer.Option(min=0.001, help="Simulated seconds in one of the wall's.")
]
_Token = Annotated[
    str | None,
    typer.Option(
        envvar="SLIPWAY_SIMULATOR_CONTROL_TOKEN",
        show_default=False,
        help="Token of the control API; needed to listen beyond this machine.",
    ),
]
_CaFile = Annotated[
    Path | None, typer.Option(help="Where to write the CA's certificate.")
]
_RunModels = Annotated[
    bool, typer.Option(help="Let registered models score: runs their code.")
]
_Latency = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STEP=SECONDS",
        help=f"How long a step takes, in simulated seconds: {', '.join(LATENCIES)}.",
    ),
]
_RateLimits = Annotated[bool, typer.Option(help="Keep to ARM's rate limits.")]


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(simulator)


def simulator(  # noqa: PLR0913  # one a flag, all by keyword
    *,
    host: _Host = "127.0.0.1",
    port: _Port = 8181,
    speed: _Speed = 1.0,
    run_models: _RunModels = False,
    ca_file: _CaFile = None,
    control_token: _Token = None,
    latency: _Latency = None,
    rate_limits: _RateLimits = True,
) -> None:
    """Run a simulated Azure that unmodified Azure SDKs reach through a proxy."""
    if not control_token and not _is_loopback(host):
        raise OperatorError(
            f"{host} can be reached by other machines, and there is no control token.",
            remedy="Listen on 127.0.0.1, or give --control-token.",
        )
    if run_models:
        _check_exposure(host)
    # Not above: every other command would hold a simulator in memory for nothing.
    from app.cli.simulator_process import run  # noqa: PLC0415

    settings = SimulatorSettings(
        speed=speed,
        run_models=run_models,
        rate_limits=rate_limits,
        control_token=control_token or None,
        latencies=dict(_latency(text) for text in latency or []),
    )
    try:
        asyncio.run(run(settings, host, port, ca_file))
    except OSError as error:
        raise OperatorError(
            f"Cannot start on {host}:{port}: {error.strerror or error}.",
            remedy="Choose another --port (0 takes a free one) or --ca-file.",
        ) from error


def _check_exposure(host: str) -> None:
    """Refuse what `serve` refuses: unconfined models within others' reach."""
    if isolation_level() == "none" and not _is_loopback(host):
        raise OperatorError(
            "This kernel cannot confine models (no Landlock), and --host is open to "
            "other machines.",
            remedy="Use --host 127.0.0.1, or leave --run-models away.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _latency(text: str) -> tuple[str, float]:
    name, _, seconds = text.partition("=")
    try:
        number = float(seconds)
    except ValueError:
        number = -1.0
    if name not in LATENCIES or number < 0:
        raise OperatorError(
            f"--latency {text} is not a step and its seconds.",
            remedy=f"The steps are {', '.join(LATENCIES)}: --latency image-build=30.",
        )
    return name, number
