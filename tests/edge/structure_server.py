"""A server with structures, arrays and enumerations, in a process of its own: its client's asyncua does not know its types."""

import asyncio
import sys

from asyncua import Server, ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field


async def main(url: str) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(url)
    index = await server.register_namespace("urn:x")
    mode = await new_enum(server, index, "Mode", ["Off", "Automatic", "Manual"])
    bearing = await new_struct(
        server,
        index,
        "Bearing",
        [new_struct_field("Side", ua.VariantType.String), new_struct_field("Temperature", ua.VariantType.Float)],
    )
    kinds = await server.load_data_type_definitions()
    motor = await new_struct(
        server,
        index,
        "Motor",
        [
            new_struct_field("Name", ua.VariantType.String),
            new_struct_field("Mode", mode),
            new_struct_field("Bearings", bearing[0], array=True),
            new_struct_field("Currents", ua.VariantType.Double, array=True),
            new_struct_field("Spare", ua.VariantType.Int32, optional=True),
            new_struct_field("Load", ua.VariantType.Double, optional=True),
        ],
    )
    kinds |= await server.load_data_type_definitions()
    bearings = [kinds["Bearing"](Side="A", Temperature=41.5), kinds["Bearing"](Side="B", Temperature=42.5)]
    value = kinds["Motor"](Name="M1", Mode=kinds["Mode"](1), Bearings=bearings, Currents=[1.0, 2.0, 3.0], Load=0.75)
    objects = server.nodes.objects
    node = await objects.add_variable(
        ua.NodeId("motor", index), "motor", ua.Variant(value, ua.VariantType.ExtensionObject), datatype=motor[0].nodeid
    )
    await objects.add_variable(ua.NodeId("zones", index), "zones", [10.0, 20.0, 30.0])
    await objects.add_variable(ua.NodeId("mode", index), "mode", 2, ua.VariantType.Int32, datatype=mode.nodeid)
    await objects.add_variable(ua.NodeId("plain", index), "plain", 5.0)
    async with server:
        print("ready", flush=True)  # noqa: T201  # whoever started it waits for this
        while True:
            await asyncio.sleep(0.5)
            value.Currents = [current + 1.0 for current in value.Currents]
            await node.write_value(ua.Variant(value, ua.VariantType.ExtensionObject))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
