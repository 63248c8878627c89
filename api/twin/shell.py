"""The shell: which asset it is of, and which submodels tell about it."""

from collections.abc import Iterable

from aas_core3 import types as aas

from api.twin.elements import names, reference
from api.twin.identifiers import global_asset_id, id_short, shell_id, submodel_id
from edge.contracts.plant import Asset, Site


def build_shell(site: Site, asset_id: str, asset: Asset, submodels: Iterable[str]) -> aas.AssetAdministrationShell:
    """`submodels` are the names that `submodel_id` makes identifiers of."""
    return aas.AssetAdministrationShell(
        id=shell_id(site, asset_id),
        id_short=id_short(asset_id),
        display_name=names(asset.display_name(asset_id)),
        asset_information=aas.AssetInformation(
            aas.AssetKind.INSTANCE,
            global_asset_id=global_asset_id(site, asset_id),
            specific_asset_ids=_specific_ids(asset_id, asset),
        ),
        submodels=[reference(aas.KeyTypes.SUBMODEL, submodel_id(site, asset_id, name)) for name in submodels],
    )


def _specific_ids(asset_id: str, asset: Asset) -> list[aas.SpecificAssetID]:
    """By which the asset is known besides: the plant's own name for it, and what its maker stamped on it."""
    known = {"assetId": asset_id}
    if asset.nameplate is not None and asset.nameplate.serial:
        known["serialNumber"] = asset.nameplate.serial
    return [aas.SpecificAssetID(name, value) for name, value in known.items()]
