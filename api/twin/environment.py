"""The twin of a plant: its shells, submodels and concepts, each built when it is asked for."""

from collections.abc import Callable, Sequence
from typing import Final

from aas_core3 import types as aas

from api.twin import nameplate, predictive_maintenance, time_series
from api.twin.concept import concepts
from api.twin.condition import Condition
from api.twin.identifiers import shell_id, submodel_id
from api.twin.shell import build_shell
from edge.contracts.plant import Plant

# name → idShort and semantic id
SUBMODELS: Final = {
    nameplate.NAME: (nameplate.ID_SHORT, nameplate.SEMANTIC_ID),
    time_series.NAME: (time_series.ID_SHORT, time_series.SEMANTIC_ID),
    predictive_maintenance.NAME: (predictive_maintenance.ID_SHORT, predictive_maintenance.SEMANTIC_ID),
}


class Twin:
    """`condition` tells how an asset is now, `history` the address of its assessments."""

    def __init__(self, plant: Plant, condition: Callable[[str], Condition], history: Callable[[str], str]) -> None:
        self._plant = plant
        self._condition = condition
        self._history = history
        self._assets = {shell_id(plant.site, asset): asset for asset in plant.assets}
        self._submodels = {submodel_id(plant.site, asset, name): (asset, name) for asset in plant.assets for name in SUBMODELS}

    @property
    def shell_ids(self) -> list[str]:
        return list(self._assets)

    def submodel_ids(self, id_short: str | None = None, semantic_id: str | None = None) -> list[str]:
        """All of them, or those with this idShort and this meaning."""
        wanted = [
            name for name, (short, meaning) in SUBMODELS.items() if id_short in (None, short) and semantic_id in (None, meaning)
        ]
        return [identifier for identifier, (_, name) in self._submodels.items() if name in wanted]

    def submodel_ids_of(self, shell: str) -> list[str]:
        return [submodel_id(self._plant.site, self._assets[shell], name) for name in SUBMODELS]

    def shell(self, identifier: str) -> aas.AssetAdministrationShell:
        """Raises KeyError where there is none, as `submodel` does."""
        asset = self._assets[identifier]
        return build_shell(self._plant.site, asset, self._plant.assets[asset], SUBMODELS)

    def submodel(self, identifier: str) -> aas.Submodel:
        asset, name = self._submodels[identifier]
        site, settings = self._plant.site, self._plant.assets[asset]
        if name == nameplate.NAME:
            return nameplate.build_nameplate(site, asset, settings)
        condition = self._condition(asset)
        if name == time_series.NAME:
            return time_series.build_time_series(site, asset, settings, condition, self._history(asset))
        return predictive_maintenance.build_predictive_maintenance(site, asset, settings, condition)

    def concepts(self) -> list[aas.ConceptDescription]:
        return list(concepts(self._plant))

    def environment(self, shells: Sequence[str], submodels: Sequence[str], with_concepts: bool) -> aas.Environment:
        """All of these in one, as a file of an AAS tool has it."""
        return aas.Environment(
            asset_administration_shells=[self.shell(identifier) for identifier in shells] or None,
            submodels=[self.submodel(identifier) for identifier in submodels] or None,
            concept_descriptions=self.concepts() if with_concepts else None,
        )
