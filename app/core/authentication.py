"""How callers of an endpoint prove who they are, as its options say."""

from enum import StrEnum
from typing import assert_never

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.specs import AnyTargetOptions, LocalOptions


class Authentication(StrEnum):
    """What an endpoint asks its callers for."""

    NONE = "none"
    KEY = "key"
    TOKEN = "token"  # noqa: S105 - a kind, not one


def authentication_of(options: AnyTargetOptions) -> Authentication:
    """Return what an endpoint with these options asks for."""
    match options:
        case LocalOptions():
            return Authentication.NONE
        case AciOptions():
            return Authentication.KEY if options.auth_enabled else Authentication.NONE
        case AksOptions() if options.token_auth_enabled:
            return Authentication.TOKEN
        case AksOptions():
            return Authentication.KEY if options.has_keys else Authentication.NONE
        case _:
            assert_never(options)
