"""The nameplate, after IDTA 02006-3-0 (Digital Nameplate for industrial equipment, 3.0).

What the template asks for and the plant file does not know (the maker's address, the order code) is there without a value.
Rating and bearing stand in AssetSpecificProperties, where the template has room for anything.
"""

from typing import Final

from aas_core3 import types as aas

from api.twin.elements import (
    bilingual_property,
    collection,
    meaning,
    number_property,
    text_property,
    uri_property,
)
from api.twin.identifiers import concept_id, global_asset_id, submodel_id
from edge.contracts.alarm import BilingualText
from edge.contracts.plant import Asset, Nameplate, Site

NAME: Final = "nameplate"
ID_SHORT: Final = "Nameplate"
SEMANTIC_ID: Final = "https://admin-shell.io/idta/nameplate/3/0/Nameplate"
TEMPLATE_ID: Final = "https://admin-shell.io/idta-02006-3-0"
ADDRESS: Final = "https://admin-shell.io/zvei/nameplate/1/0/ContactInformations/AddressInformation"
# what an address has at least, after IDTA 02002-1-0 (Contact Information), whose drop-in it is
ADDRESS_LINES: Final = {
    "Street": "0173-1#02-AAO128#002",
    "Zipcode": "0173-1#02-AAO129#002",
    "CityTown": "0173-1#02-AAO132#002",
    "NationalCode": "0173-1#02-AAO134#002",
}


def build_nameplate(site: Site, asset_id: str, asset: Asset) -> aas.Submodel:
    plate = asset.nameplate or Nameplate()
    address = [bilingual_property(line, None, eclass) for line, eclass in ADDRESS_LINES.items()]
    elements: list[aas.SubmodelElement] = [
        # each with its IEC CDD and its ECLASS code, as the template has them
        uri_property("URIOfTheProduct", global_asset_id(site, asset_id), "0112/2///61987#ABN590#002", "0173-1#02-ABH173#003"),
        bilingual_property("ManufacturerName", _same(plate.manufacturer), "0112/2///61987#ABA565#009", "0173-1#02-AAO677#004"),
        bilingual_property(
            "ManufacturerProductDesignation", _same(plate.model), "0112/2///61987#ABA567#009", "0173-1#02-AAW338#003"
        ),
        collection("AddressInformation", address, ADDRESS, "0112/2///61360_7#AAS002#001"),
        text_property("OrderCodeOfManufacturer", None, "0112/2///61987#ABA950#008", "0173-1#02-AAO227#004"),
    ]
    if plate.model:
        elements.append(
            text_property("ManufacturerProductType", plate.model, "0112/2///61987#ABA300#008", "0173-1#02-AAO057#004")
        )
    if plate.serial:
        elements.append(text_property("SerialNumber", plate.serial, "0112/2///61987#ABA951#009", "0173-1#02-AAM556#004"))
    if specific := _specific_properties(plate):
        elements.append(collection("AssetSpecificProperties", specific, "0173-1#02-ABI218#003/0173-1#01-AGZ672#004"))
    return aas.Submodel(
        id=submodel_id(site, asset_id, NAME),
        id_short=ID_SHORT,
        kind=aas.ModellingKind.INSTANCE,
        administration=aas.AdministrativeInformation(version="3", revision="0", template_id=TEMPLATE_ID),
        semantic_id=meaning(SEMANTIC_ID),
        submodel_elements=elements,
    )


def _same(text: str | None) -> BilingualText | None:
    """What its maker calls it is the same in every language."""
    return BilingualText(sv=text, en=text) if text else None


def _specific_properties(plate: Nameplate) -> list[aas.SubmodelElement]:
    known: dict[str, float | None] = {"RatedPower": plate.rated_kw, "RatedSpeed": plate.rated_speed}
    if plate.bearing is not None:
        known |= {
            "BearingBalls": plate.bearing.balls,
            "BearingBallDiameter": plate.bearing.ball_mm,
            "BearingPitchDiameter": plate.bearing.pitch_mm,
            "BearingContactAngle": plate.bearing.contact_deg,
        }
    return [number_property(name, value, concept_id(name)) for name, value in known.items() if value is not None]
