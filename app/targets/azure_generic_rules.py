"""Azure's codes that say little, and what a status or a text says where no code does.

They give way to every code of `azure_failure_rules`, wherever in an error it stands.
"""

import re
from collections.abc import Mapping

from app.core.failure import Blame, FailureCode
from app.targets.azure_failure_rules import RULES, FailureRule


def _codes(names: str) -> frozenset[str]:
    return frozenset(names.split())


_TIMED_OUT = FailureRule(
    codes=_codes("DeploymentTimedOut TimedOut DeploymentTimeout"),
    code=FailureCode.TARGET_TIMED_OUT,
    message="The service did not come up in the time that Azure gives it.",
    remedy="Read the log tail: a model that loads slowly needs more cpu and memory or "
    "a longer initial_delay_seconds; an unreachable address needs its network or "
    "certificate corrected. Then retry the operation.",
    blame=Blame.AZURE,
    is_transient=True,
)
_CANCELED = FailureRule(
    codes=_codes("OperationCanceled OperationCancelled Canceled Cancelled"),
    code=FailureCode.TARGET_CANCELED,
    message="Azure canceled its operation.",
    remedy="Retry the operation; somebody or a later change at Azure canceled it.",
    blame=Blame.AZURE,
    is_transient=True,
)
_BUSY = FailureRule(
    codes=_codes("Conflict OperationInProgress AnotherOperationInProgress"),
    code=FailureCode.TARGET_BUSY,
    message="Another operation is running on it at Azure.",
    remedy="Wait until the other operation has ended, then retry this one.",
    blame=Blame.AZURE,
    is_transient=True,
    is_generic=True,
)
_THROTTLED = FailureRule(
    codes=_codes(
        "TooManyRequests SubscriptionRequestsThrottled OperationThrottled "
        "ResourceRequestsThrottled REQUEST_LIMIT_EXCEEDED"
    ),
    code=FailureCode.THROTTLED,
    message="Azure asked for fewer calls.",
    remedy="Retry later, or set a lower limits.calls_per_second of the workspace if "
    "others use the same identity.",
    blame=Blame.AZURE,
    is_transient=True,
)
_UNAVAILABLE = FailureRule(
    codes=_codes(
        "InternalServerError InternalError ServiceError ServiceUnavailable "
        "BadGateway GatewayTimeout InferencingClientCallFailed INTERNAL_ERROR "
        "TEMPORARILY_UNAVAILABLE RequestTimeout ServerTimeout"
    ),
    code=FailureCode.TARGET_UNAVAILABLE,
    message="Azure failed inside.",
    remedy="Retry the operation; if it stays, give Azure's support the correlation "
    "ids.",
    blame=Blame.AZURE,
    is_transient=True,
    is_generic=True,
)
_MISSING = FailureRule(
    codes=_codes(
        "ResourceNotFound EndpointNotFound NotFound ServiceNotFound "
        "WebserviceNotFound RESOURCE_DOES_NOT_EXIST"
    ),
    code=FailureCode.RESOURCE_NOT_FOUND,
    message="Something that was asked for does not exist at Azure.",
    remedy="Check that what `cause` names exists and was not deleted by somebody else.",
    blame=Blame.CALLER,
    is_generic=True,
)
_REFUSED = FailureRule(
    codes=_codes(
        "BadArgument BadRequest InvalidDeploymentSpec ValidationError "
        "InvalidRequest InvalidArgument InvalidParameter INVALID_PARAMETER_VALUE "
        "InferencingClientCreateDeploymentFailed UserError"
    ),
    code=FailureCode.OPTIONS_REFUSED,
    message="Azure refused the options.",
    remedy="Correct the option that `cause` names and send the request again.",
    blame=Blame.CALLER,
    is_generic=True,
)
FAILED = FailureRule(
    codes=_codes(
        "DeploymentFailed AciDeploymentFailed KubernetesDeploymentFailed "
        "KubernetesError WebserviceFailed"
    ),
    code=FailureCode.TARGET_FAILED,
    message="The deployment failed at Azure.",
    remedy="Read `cause` and the log tail, correct what they name, and deploy again.",
    blame=Blame.CALLER,
    is_generic=True,
)

ALL_RULES: tuple[FailureRule, ...] = (
    *RULES,
    _TIMED_OUT,
    _CANCELED,
    _BUSY,
    _THROTTLED,
    _REFUSED,
    _MISSING,
    FAILED,
    _UNAVAILABLE,
)


def rule_of(code: FailureCode) -> FailureRule:
    """Return the first rule that ends in `code`."""
    return next(rule for rule in ALL_RULES if rule.code is code)


# Where the code says nothing: the words of public threads, most telling first.
TEXTS: tuple[tuple[re.Pattern[str], FailureRule], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), rule_of(code))
    for pattern, code in (
        (r"not enough quota|quota .{0,120}exceeded", FailureCode.QUOTA_EXCEEDED),
        (
            r"does not have authorization to perform action|not authorized to perform",
            FailureCode.PERMISSION_DENIED,
        ),
        (r"no module named|user script", FailureCode.MODEL_LOAD_FAILED),
        (r"OOMKilled|out of memory", FailureCode.OUT_OF_MEMORY),
        (
            r"couldn't schedule|nodes are available:|cannot be scheduled",
            FailureCode.UNSCHEDULABLE,
        ),
        (r"image .{0,300}is not accessible", FailureCode.IMAGE_PULL_FAILED),
        (r"failed building the environment", FailureCode.IMAGE_BUILD_FAILED),
        (r"container application crashed|crash ?loop", FailureCode.CONTAINER_CRASHED),
        (r"another operation|in updating state", FailureCode.TARGET_BUSY),
        (
            r"already exists|dns name label .{0,200}not available",
            FailureCode.NAME_TAKEN_AT_TARGET,
        ),
        (r"has timed ?out", FailureCode.TARGET_TIMED_OUT),
    )
)

STATUSES: Mapping[int, FailureRule] = {
    400: _REFUSED,
    401: rule_of(FailureCode.CREDENTIAL_FAILED),
    403: rule_of(FailureCode.PERMISSION_DENIED),
    404: _MISSING,
    405: _REFUSED,
    408: _UNAVAILABLE,
    409: _BUSY,
    412: _BUSY,
    422: _REFUSED,
    429: _THROTTLED,
}


def of_status(status: int) -> FailureRule | None:
    """Return what a status alone says, if it says something."""
    if 500 <= status < 600:  # noqa: PLR2004 - HTTP's own numbers
        return _UNAVAILABLE
    return STATUSES.get(status)
