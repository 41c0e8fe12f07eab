"""Which project may use which declared credential, and on what at Azure."""

import pytest

from app.core.credential import CredentialDeclarations, DefaultCredential
from app.core.declared_secret import EnvironmentSecret, SecretDeclarations

SUBSCRIPTION = "/subscriptions/11111111-2222-4333-8444-555555555555"
WORKSPACE = (
    f"{SUBSCRIPTION}/resourcegroups/ml/providers/"
    "microsoft.machinelearningservices/workspaces/prod"
)


def declared(
    *, projects: tuple[str, ...] | None = None, scopes: tuple[str, ...] | None = None
) -> CredentialDeclarations:
    credential = DefaultCredential(projects=projects, scopes=scopes)
    return CredentialDeclarations(by_name={"prod": credential})


def test_a_credential_without_projects_is_everybodys() -> None:
    assert declared().names_for("fraud") == ("prod",)
    assert declared().is_granted_to("prod", "fraud")


def test_a_credential_of_other_projects_is_not_even_named() -> None:
    ours = declared(projects=("fraud",))

    assert ours.names_for("churn") == ()
    assert ours.is_granted_to("prod", "fraud")
    assert not ours.is_granted_to("prod", "churn")


def test_nobody_may_use_what_is_not_declared() -> None:
    assert not declared().has("dev")
    assert not declared().is_granted_to("dev", "fraud")
    assert not declared().reaches("dev", WORKSPACE)


@pytest.mark.parametrize(
    ("scope", "is_reached"),
    [
        (SUBSCRIPTION, True),
        (f"{SUBSCRIPTION}/resourceGroups/ML", True),
        (f"{SUBSCRIPTION}/resourceGroups/ml/", True),
        (WORKSPACE, True),
        (f"{SUBSCRIPTION}/resourceGroups/m", False),
        (f"{SUBSCRIPTION}/resourceGroups/ml2", False),
        (f"{WORKSPACE}-2", False),
        ("/subscriptions/99999999-2222-4333-8444-555555555555", False),
    ],
)
def test_a_scope_is_a_whole_part_of_an_id_in_any_case(
    scope: str, *, is_reached: bool
) -> None:
    assert declared(scopes=(scope,)).reaches("prod", WORKSPACE) is is_reached


def test_no_scope_at_all_is_no_restriction_and_an_empty_list_is_all_of_one() -> None:
    assert declared(scopes=None).reaches("prod", WORKSPACE)
    assert not declared(scopes=()).reaches("prod", WORKSPACE)


def test_a_secret_of_other_projects_is_not_even_named() -> None:
    secret = EnvironmentSecret(
        kind="environment", variable="TLS_KEY", projects=("fraud",)
    )
    secrets = SecretDeclarations(by_name={"tls-key": secret})

    assert secrets.names_for("fraud") == ("tls-key",)
    assert secrets.names_for("churn") == ()
    assert not secrets.is_granted_to("tls-key", "churn")
    assert not secrets.is_granted_to("unknown", "fraud")
