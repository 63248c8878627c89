"""Names that stay: what a shell, an asset, a submodel and a concept are called in the whole world.

They are made of the site's ISA-95 path and the names of the plant file. None of these may contain a colon, so that no two
identifiers are alike.
"""

import base64
import binascii
import re
from typing import Final

from edge.contracts.plant import Site

ROOT: Final = "urn:kullager"
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")


def shell_id(site: Site, asset: str) -> str:
    """
    >>> shell_id(Site(enterprise="acme", site="north", area="hall-1"), "pump-101")
    'urn:kullager:aas:acme:north:hall-1:pump-101'
    """
    return f"{ROOT}:aas:{_path(site)}:{asset}"


def global_asset_id(site: Site, asset: str) -> str:
    return f"{ROOT}:asset:{_path(site)}:{asset}"


def submodel_id(site: Site, asset: str, submodel: str) -> str:
    return f"{ROOT}:submodel:{_path(site)}:{asset}:{submodel}"


def signal_concept_id(site: Site, asset: str, signal: str) -> str:
    return f"{ROOT}:signal:{_path(site)}:{asset}:{signal}"


def concept_id(concept: str) -> str:
    """What kullager itself means by a word, the same at every site."""
    return f"{ROOT}:concept:{concept}"


def id_short(name: str) -> str:
    """A name of the plant file as an idShort, which knows no hyphen and begins with a letter (AASd-002).

    >>> id_short("pump-101"), id_short("3d-printer")
    ('pump_101', 'asset_3d_printer')
    """
    short = name.replace("-", "_")
    return short if short[0].isalpha() else f"asset_{short}"


def to_base64url(identifier: str) -> str:
    """
    >>> to_base64url("urn:a:1"), from_base64url("dXJuOmE6MQ"), from_base64url("dXJuOmE6MQ==")
    ('dXJuOmE6MQ', 'urn:a:1', 'urn:a:1')
    """
    return base64.urlsafe_b64encode(identifier.encode()).decode().rstrip("=")


def from_base64url(text: str) -> str:
    """An identifier as it stands in an address, with or without its padding; raises ValueError for anything else."""
    if _BASE64URL.fullmatch(text):
        bare = text.rstrip("=")
        try:
            return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            pass
    raise ValueError(f"'{text}' should be an identifier in base64url, such as '{to_base64url(ROOT + ':aas:…')}'")


def _path(site: Site) -> str:
    return f"{site.enterprise}:{site.site}:{site.area}"
