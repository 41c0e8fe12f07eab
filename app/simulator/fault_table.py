"""Every fault that the simulator knows, from the modules that strike with them."""

from app.simulator import aad, arm, cluster_plans, service_faults, spoiling
from app.simulator.faults import FaultKind

_GROUPS = (
    ("Any request", spoiling.KINDS),
    ("Sign-in", aad.KINDS),
    ("Workspace and registry", arm.KINDS),
    ("Clusters", cluster_plans.KINDS),
    ("Services", service_faults.KINDS),
)


def kinds() -> dict[str, FaultKind]:
    """Return every kind of fault by its name."""
    return {kind.name: kind for _, group in _GROUPS for kind in group}


def markdown() -> str:
    """Return the table of the documentation: one for each group."""
    return "\n".join(_table(title, group) for title, group in _GROUPS)


def _table(title: str, group: tuple[FaultKind, ...]) -> str:
    lines = [f"### {title}", "", "| fault | what happens | `where` | `parameters` |"]
    lines += ["|---|---|---|---|", *(_row(kind) for kind in group), ""]
    return "\n".join(lines)


def _row(kind: FaultKind) -> str:
    where = ", ".join(f"`{name}`" for name in kind.where)
    parameters = "; ".join(
        f"`{name}`: {about}" for name, about in kind.parameters.items()
    )
    return f"| `{kind.name}` | {kind.about} | {where} | {parameters} |"
