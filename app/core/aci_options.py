"""The options of the target `aci`, under azureml-core's argument names.

Defaults and ranges are those of `AciWebservice.deploy_configuration`, but for
`auth_enabled`, which is on here: an address that anybody can call must be asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import annotated_types as at

from app.core.errors import FieldProblem
from app.core.option import Effect, Flag, Matches, Option
from app.core.option_groups import all_or_none
from app.core.secret import Secret

REGION_PATTERN = r"^[a-z0-9]{3,40}$"
DNS_LABEL_PATTERN = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
HOST_NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"

_RECREATE = Effect.RECREATE
_IN_PLACE = Effect.IN_PLACE
_Word = Annotated[str, at.MinLen(1), at.MaxLen(256)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AciOptions:
    """Target `aci`: one container at Azure Container Instances (v1, legacy)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["aci"]
    cpu_cores: Annotated[
        float, at.Gt(0), at.Le(4), Option("CPU cores of the container.", _RECREATE)
    ] = 0.1
    memory_gb: Annotated[
        float, at.Gt(0), at.Le(16), Option("Memory of the container, in GB.", _RECREATE)
    ] = 0.5
    location: Annotated[
        Annotated[str, Matches(REGION_PATTERN)] | None,
        Option("Azure region; default: the workspace's.", _RECREATE),
    ] = None
    auth_enabled: Annotated[
        Flag, Option("Whether callers need a key; on by default here.", _IN_PLACE)
    ] = True
    ssl_enabled: Annotated[
        Flag, Option("TLS with the certificate given beside it.", _IN_PLACE)
    ] = False
    ssl_cert_pem: Annotated[
        Secret | None, Option("The certificate and its chain, as PEM.", _IN_PLACE)
    ] = None
    ssl_key_pem: Annotated[
        Secret | None, Option("The certificate's private key, as PEM.", _IN_PLACE)
    ] = None
    ssl_cname: Annotated[
        Annotated[str, Matches(HOST_NAME_PATTERN)] | None,
        Option("The host name that the certificate is for.", _IN_PLACE),
    ] = None
    enable_app_insights: Annotated[
        Flag, Option("Send what the service logs to App Insights.", _IN_PLACE)
    ] = False
    dns_name_label: Annotated[
        Annotated[str, Matches(DNS_LABEL_PATTERN)] | None,
        Option("First label of the address; default: one made by Azure.", _RECREATE),
    ] = None
    primary_key: Annotated[
        Secret | None, Option("The first scoring key; default: generated.", _IN_PLACE)
    ] = None
    secondary_key: Annotated[
        Secret | None, Option("The second scoring key; default: generated.", _IN_PLACE)
    ] = None
    collect_model_data: Annotated[
        Flag | None,
        Option("Accepted and without effect: Azure retired v1 collection.", _RECREATE),
    ] = None
    cmk_vault_base_url: Annotated[
        Annotated[str, Matches(r"^https://[A-Za-z0-9.-]+/?$")] | None,
        Option("Key vault of the key that encrypts the container.", _RECREATE),
    ] = None
    cmk_key_name: Annotated[_Word | None, Option("Name of that key.", _RECREATE)] = None
    cmk_key_version: Annotated[
        _Word | None, Option("Version of that key.", _RECREATE)
    ] = None
    vnet_name: Annotated[
        _Word | None, Option("Virtual network of the container.", _RECREATE)
    ] = None
    subnet_name: Annotated[
        _Word | None, Option("Subnet in that network.", _RECREATE)
    ] = None

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what is wrong between its fields, by pointer below the target."""
        yield from all_or_none(
            self, "cmk_vault_base_url", "cmk_key_name", "cmk_key_version"
        )
        yield from all_or_none(self, "vnet_name", "subnet_name")
        needed = ("ssl_cert_pem", "ssl_key_pem", "ssl_cname")
        for name in needed:
            is_given = getattr(self, name) is not None
            if is_given != self.ssl_enabled:
                yield FieldProblem(
                    pointer=f"/{name}",
                    code="needs_ssl" if is_given else "required_with_ssl",
                    detail="belongs to ssl_enabled: true, with a certificate, its key "
                    "and its name",
                )
        for name in ("primary_key", "secondary_key"):
            if getattr(self, name) is not None and not self.auth_enabled:
                yield FieldProblem(
                    pointer=f"/{name}",
                    code="needs_auth",
                    detail="needs auth_enabled: true",
                )
