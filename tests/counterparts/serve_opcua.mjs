// An OPC UA server by others (node-opcua) with the pump's nodes, one value a second at whole seconds, and their history:
// node serve_opcua.mjs PORT
import { DataType, OPCUAServer, StatusCodes, Variant } from "node-opcua";

const NAMES = ["speed", "flow", "pressure", "current", "power"];
const server = new OPCUAServer({ port: Number(process.argv[2]), allowAnonymous: true });
await server.initialize();
const space = server.engine.addressSpace;
// by its address, as the plant file names it
const namespace = space.registerNamespace("urn:kullager:simulator");
const nodes = NAMES.map((name) => {
  const node = namespace.addVariable({
    organizedBy: space.rootFolder.objects,
    nodeId: `s=pump-101.${name}`,
    browseName: name,
    dataType: DataType.Double,
  });
  space.installHistoricalDataNode(node);
  return node;
});
let value = 0;
const tick = () => {
  const now = new Date(Math.round(Date.now() / 1000) * 1000);
  value += 1;
  for (const node of nodes) {
    node.setValueFromSource(new Variant({ dataType: DataType.Double, value }), StatusCodes.Good, now);
  }
  setTimeout(tick, now.getTime() + 1000 - Date.now());
};
await server.start();
setTimeout(tick, 1000 - (Date.now() % 1000));
const stop = async () => {
  await server.shutdown(100);
  process.exit(0);
};
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
