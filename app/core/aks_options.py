"""The options of the target `aks`, under azureml-core's argument names.

Defaults and ranges are those of `AksWebservice.deploy_configuration`. What cannot be
changed by its `update` is recreated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import annotated_types as at

from app.core.errors import FieldProblem
from app.core.option import Effect, Flag, Integer, Matches, Option
from app.core.secret import Secret

NAMESPACE_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
CLUSTER_NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]$"

_RECREATE = Effect.RECREATE
_IN_PLACE = Effect.IN_PLACE
# Azure's wire takes 32-bit integers.
_Count = Annotated[Integer, at.Ge(1), at.Le(2**31 - 1)]
_Amount = Annotated[float, at.Gt(0), at.Le(10_000)]
_AUTOSCALE = (
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AksOptions:
    """Target `aks`: a service in a Kubernetes cluster of the workspace (v1, legacy)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["aks"]
    compute_target_name: Annotated[
        Annotated[str, Matches(CLUSTER_NAME_PATTERN)],
        Option("The cluster: a compute of the workspace.", _RECREATE),
    ]
    namespace: Annotated[
        Annotated[str, Matches(NAMESPACE_PATTERN)] | None,
        Option("Kubernetes namespace; default: one made by Azure.", _RECREATE),
    ] = None
    autoscale_enabled: Annotated[
        Flag | None,
        Option("Default: on unless num_replicas is given.", _IN_PLACE),
    ] = None
    autoscale_min_replicas: Annotated[
        _Count | None, Option("Fewest replicas; default 1.", _IN_PLACE)
    ] = None
    autoscale_max_replicas: Annotated[
        _Count | None, Option("Most replicas; default 10.", _IN_PLACE)
    ] = None
    autoscale_refresh_seconds: Annotated[
        _Count | None, Option("Seconds between looks; default 1.", _IN_PLACE)
    ] = None
    autoscale_target_utilization: Annotated[
        Annotated[Integer, at.Ge(1), at.Le(100)] | None,
        Option("Percent of busy replicas to aim at; default 70.", _IN_PLACE),
    ] = None
    num_replicas: Annotated[
        _Count | None, Option("A fixed number of replicas.", _IN_PLACE)
    ] = None
    collect_model_data: Annotated[
        Flag,
        Option("Accepted and without effect: Azure retired v1 collection.", _IN_PLACE),
    ] = False
    auth_enabled: Annotated[
        Flag | None,
        Option("Key auth; default: on unless token_auth_enabled.", _IN_PLACE),
    ] = None
    token_auth_enabled: Annotated[
        Flag, Option("Token auth, instead of keys.", _IN_PLACE)
    ] = False
    cpu_cores: Annotated[
        _Amount, Option("CPU cores asked for per replica.", Effect.NEW_REVISION)
    ] = 0.1
    cpu_cores_limit: Annotated[
        _Amount | None, Option("Most CPU cores per replica.", Effect.NEW_REVISION)
    ] = None
    memory_gb: Annotated[
        _Amount, Option("Memory asked for per replica, in GB.", Effect.NEW_REVISION)
    ] = 0.5
    memory_gb_limit: Annotated[
        _Amount | None,
        Option("Most memory per replica, in GB.", Effect.NEW_REVISION),
    ] = None
    gpu_cores: Annotated[
        Annotated[Integer, at.Ge(0), at.Le(64)],
        Option("GPUs per replica.", Effect.NEW_REVISION),
    ] = 0
    enable_app_insights: Annotated[
        Flag, Option("Send what the service logs to App Insights.", _IN_PLACE)
    ] = False
    scoring_timeout_ms: Annotated[
        _Count, Option("Milliseconds that one scoring may take.", _IN_PLACE)
    ] = 60_000
    replica_max_concurrent_requests: Annotated[
        _Count, Option("Requests that one replica takes at once.", _IN_PLACE)
    ] = 1
    max_request_wait_time: Annotated[
        _Count, Option("Milliseconds in the queue before a 503.", _IN_PLACE)
    ] = 500
    primary_key: Annotated[
        Secret | None, Option("The first scoring key; default: generated.", _IN_PLACE)
    ] = None
    secondary_key: Annotated[
        Secret | None, Option("The second scoring key; default: generated.", _IN_PLACE)
    ] = None
    period_seconds: Annotated[
        _Count, Option("Liveness probe: seconds between two.", Effect.NEW_REVISION)
    ] = 10
    initial_delay_seconds: Annotated[
        _Count, Option("Liveness probe: seconds before the first.", Effect.NEW_REVISION)
    ] = 310
    timeout_seconds: Annotated[
        _Count, Option("Liveness probe: seconds for an answer.", Effect.NEW_REVISION)
    ] = 2
    success_threshold: Annotated[
        _Count, Option("Liveness probe: successes to be alive.", Effect.NEW_REVISION)
    ] = 1
    failure_threshold: Annotated[
        _Count, Option("Liveness probe: failures to be dead.", Effect.NEW_REVISION)
    ] = 3
    blobfuse_enabled: Annotated[
        Flag | None, Option("Mount the model by blobfuse; default: on.", _RECREATE)
    ] = None

    @property
    def has_keys(self) -> bool:
        """Whether callers score with a key."""
        if self.auth_enabled is None:
            return not self.token_auth_enabled
        return self.auth_enabled

    @property
    def autoscales(self) -> bool:
        """Whether Azure chooses the number of replicas."""
        if self.autoscale_enabled is None:
            return self.num_replicas is None
        return self.autoscale_enabled

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what is wrong between its fields, by pointer below the target."""
        yield from self._scaling_problems()
        if self.token_auth_enabled and self.auth_enabled:
            yield FieldProblem(
                pointer="/token_auth_enabled",
                code="excludes_auth",
                detail="goes without auth_enabled: a service has keys or tokens",
            )
        for limit, asked in (
            ("cpu_cores_limit", self.cpu_cores),
            ("memory_gb_limit", self.memory_gb),
        ):
            most = getattr(self, limit)
            if most is not None and most < asked:
                yield FieldProblem(
                    pointer=f"/{limit}",
                    code="limit_below_request",
                    detail="must not be less than what is asked for",
                )
        for name in ("primary_key", "secondary_key"):
            if getattr(self, name) is not None and not self.has_keys:
                yield FieldProblem(
                    pointer=f"/{name}", code="needs_auth", detail="needs key auth"
                )

    def _scaling_problems(self) -> Iterator[FieldProblem]:
        if self.autoscales and self.num_replicas is not None:
            yield FieldProblem(
                pointer="/num_replicas",
                code="excludes_autoscale",
                detail="goes without autoscaling",
            )
        if not self.autoscales and self.num_replicas is None:
            yield FieldProblem(
                pointer="/num_replicas",
                code="required_without_autoscale",
                detail="is required while autoscaling is off",
            )
        for name in _AUTOSCALE:
            if getattr(self, name) is not None and not self.autoscales:
                yield FieldProblem(
                    pointer=f"/{name}",
                    code="needs_autoscale",
                    detail="needs autoscaling",
                )
        least = self.autoscale_min_replicas or 1
        if self.autoscales and least > (self.autoscale_max_replicas or 10):
            yield FieldProblem(
                pointer="/autoscale_min_replicas",
                code="above_maximum",
                detail="must not be more than autoscale_max_replicas (default 10)",
            )
