"""What each of Azure's error codes means: one rule for those with one remedy.

The codes are those that Microsoft documents for deployments (how-to-troubleshoot-
online-endpoints, v1/how-to-troubleshoot-deployment) and those seen in public issue
threads; a new one is one word in one rule.
"""

from dataclasses import dataclass

from app.core.failure import Blame, FailureCode


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureRule:
    """What Azure's `codes` are to our callers.

    A generic rule gives way to every other one, wherever in an error that is found.
    `is_transient`: the same request may succeed later though nobody changed anything.
    """

    codes: frozenset[str]
    code: FailureCode
    message: str
    remedy: str
    blame: Blame
    is_transient: bool = False
    is_generic: bool = False

    @property
    def is_retryable(self) -> bool:
        """Say whether the same request can succeed, later or once it was mended."""
        return self.is_transient or self.blame is not Blame.CALLER


def _codes(names: str) -> frozenset[str]:
    return frozenset(names.split())


RULES: tuple[FailureRule, ...] = (
    FailureRule(
        codes=_codes(
            "AuthorizationFailed LinkedAuthorizationFailed AuthorizationFailure "
            "Forbidden UserForbidden InsufficientPermissions PERMISSION_DENIED "
            "DenyAssignmentAuthorizationFailed"
        ),
        code=FailureCode.PERMISSION_DENIED,
        message="Azure refused: the credential lacks a permission.",
        remedy="Grant the credential's identity the action that `cause` names, on the "
        "scope it names; a new role takes some minutes to count. The workspace's "
        "check lists all that are missing.",
        blame=Blame.SLIPWAY,
    ),
    FailureRule(
        codes=_codes("RequestDisallowedByPolicy PolicyViolation"),
        code=FailureCode.PERMISSION_DENIED,
        message="An Azure policy of the subscription forbids this.",
        remedy="Change the options to what the policy in `cause` allows, or have the "
        "subscription's owner exempt the resource group.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes("SecretsInjectionError"),
        code=FailureCode.PERMISSION_DENIED,
        message="The endpoint's identity may not read the secrets that it is given.",
        remedy="Grant the endpoint's identity read access to the secrets in `cause`.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "ExpiredAuthenticationToken InvalidAuthenticationToken "
            "InvalidAuthenticationTokenTenant AuthenticationFailed Unauthorized "
            "UNAUTHENTICATED"
        ),
        code=FailureCode.CREDENTIAL_FAILED,
        message="Azure did not take the token of the credential.",
        remedy="Check that the credential belongs to the workspace's tenant and cloud, "
        "and that the clock of the worker's machine is right.",
        blame=Blame.SLIPWAY,
        is_transient=True,
    ),
    FailureRule(
        codes=_codes("MissingSubscriptionRegistration SubscriptionNotRegistered"),
        code=FailureCode.TARGET_NOT_READY,
        message="The subscription has not registered a resource provider.",
        remedy="Register the provider that `cause` names: az provider register "
        "--namespace <name>.",
        blame=Blame.SLIPWAY,
    ),
    FailureRule(
        codes=_codes(
            "WorkspaceNotFound SubscriptionNotFound ResourceGroupNotFound "
            "InvalidSubscriptionId"
        ),
        code=FailureCode.WORKSPACE_NOT_FOUND,
        message="The Azure ML workspace was not found.",
        remedy="Check subscription_id, resource_group, workspace_name and cloud of the "
        "workspace; a credential without any right on it sees none either.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "QuotaExceeded OutOfQuota NotEnoughQuota ContainerGroupQuotaReached "
            "OperationNotAllowed EndpointQuotaExceeded ResourceQuotaExceeded "
            "MaximumEndpointsReached RoleAssignmentLimitExceeded OutOfDiskQuota "
            "OutOfMemoryQuota"
        ),
        code=FailureCode.QUOTA_EXCEEDED,
        message="A quota of the subscription is used up.",
        remedy="Ask for a higher quota in the Azure portal, delete what is not used, "
        "or choose a smaller size or another region; then retry the operation.",
        blame=Blame.QUOTA,
    ),
    FailureRule(
        codes=_codes(
            "OutOfCapacity AllocationFailed ZonalAllocationFailed "
            "OverconstrainedAllocationRequest OutOfRegionCapacity"
        ),
        code=FailureCode.OUT_OF_CAPACITY,
        message="Azure has no capacity for this size in the region just now.",
        remedy="Retry later, or choose another size or region.",
        blame=Blame.AZURE,
        is_transient=True,
    ),
    FailureRule(
        codes=_codes(
            "Unschedulable PodUnschedulable ContainerCannotBeScheduled "
            "FailedScheduling InsufficientClusterResources"
        ),
        code=FailureCode.UNSCHEDULABLE,
        message="The cluster has no node with room for a replica.",
        remedy="Add nodes or larger ones, lower cpu_cores, memory_gb, gpu_cores or the "
        "replicas, or delete what is not used; then retry the operation.",
        blame=Blame.QUOTA,
    ),
    FailureRule(
        codes=_codes("PodOutOfMemory OOMKilled ContainerOutOfMemory"),
        code=FailureCode.OUT_OF_MEMORY,
        message="The model needed more memory than its container has.",
        remedy="Raise the memory of the options and deploy again.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "EnvironmentBuildFailed ImageBuildFailure ImageBuildFailed "
            "ImageBuildTimeout"
        ),
        code=FailureCode.IMAGE_BUILD_FAILED,
        message="Azure could not build the model's image.",
        remedy="Read the last lines of the build log for the package that failed, "
        "correct the requirements that the model was logged with, and deploy it again.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "ImagePullLoopBackOff ImagePullBackOff ErrImagePull InaccessibleImage "
            "ACRSecretError ACRAuthenticationChallengeFailed ACRTokenExchangeFailed"
        ),
        code=FailureCode.IMAGE_PULL_FAILED,
        message="Azure could not fetch the model's image from the container registry.",
        remedy="Check that the workspace's container registry exists, that its admin "
        "user is enabled (v1 needs it), that its network admits the workspace, and "
        "that the cluster's identity has the role AcrPull.",
        blame=Blame.SLIPWAY,
    ),
    FailureRule(
        codes=_codes(
            "CrashLoopBackOff DeploymentCrashLoopBackOff KubernetesCrashLoopBackOff "
            "ContainerCrashed"
        ),
        code=FailureCode.CONTAINER_CRASHED,
        message="The model's container crashed each time that it was started.",
        remedy="Read the log tail: as a rule a package is missing or of another "
        "version than the model needs. Correct that where the model is logged.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "UserScriptInitFailed UserScriptImportError UserScriptFunctionNotFound"
        ),
        code=FailureCode.MODEL_LOAD_FAILED,
        message="The model could not be loaded in its container.",
        remedy="Read the log tail, correct the model or its requirements, and deploy "
        "it again.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "KubernetesUnaccessible ComputeResourceNotCreated NamespaceNotFound "
            "ComputeNotFound ComputeTargetNotFound TokenRefreshFailed "
            "GetAADTokenFailed ComputeInvalidState"
        ),
        code=FailureCode.CLUSTER_FAILED,
        message="The cluster cannot be used.",
        remedy="Check that the cluster is up and attached to the workspace (state "
        "Succeeded), that the namespace exists and its extension can sign in.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "ServiceExists EndpointAlreadyExists DnsNameLabelTaken NameUnavailable "
            "WebserviceAlreadyExists RESOURCE_ALREADY_EXISTS"
        ),
        code=FailureCode.NAME_TAKEN_AT_TARGET,
        message="The name is taken at Azure.",
        remedy="Choose another name, or delete what `cause` names if it is not used.",
        blame=Blame.CALLER,
    ),
    FailureRule(
        codes=_codes(
            "ResourceNotReady WorkspaceManagedNetworkNotReady ScoringFeUnhealthy"
        ),
        code=FailureCode.TARGET_NOT_READY,
        message="Something that the deployment needs is not ready at Azure.",
        remedy="Wait until what `cause` names is ready, then retry the operation.",
        blame=Blame.AZURE,
        is_transient=True,
    ),
    FailureRule(
        codes=_codes("ValidateScoringFailed"),
        code=FailureCode.VERIFICATION_FAILED,
        message="Azure's own trial of the model failed.",
        remedy="Read the log tail, correct the model, and deploy it again.",
        blame=Blame.CALLER,
    ),
)
