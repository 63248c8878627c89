// Walks through the machines of an OPC UA server as OPC 40001-1 lays them out, with node-opcua, and prints as JSON what it
// found, in the last line: node walk_opcua.mjs opc.tcp://host:port
import {
  AttributeIds,
  BrowseDirection,
  ClientMonitoredItem,
  DataType,
  NodeClass,
  OPCUAClient,
  StatusCodes,
  TimestampsToReturn,
} from "node-opcua";

const MACHINERY = "http://opcfoundation.org/UA/Machinery/";
const VALUES_WANTED = 4;
const WAIT_MS = 30_000;

const endpoint = process.argv[2];
if (!endpoint) {
  console.error("usage: node walk_opcua.mjs opc.tcp://host:port");
  process.exit(2);
}

async function children(session, nodeId, nodeClassMask = 0, referenceTypeId = "HierarchicalReferences") {
  const { references } = await session.browse({
    nodeId,
    referenceTypeId,
    nodeClassMask,
    browseDirection: BrowseDirection.Forward,
    includeSubtypes: true,
    resultMask: 63,
  });
  return new Map((references ?? []).map((reference) => [reference.browseName.name, reference.nodeId]));
}

async function read(session, nodeId) {
  const { value, statusCode } = await session.read({ nodeId, attributeId: AttributeIds.Value });
  const content = statusCode === StatusCodes.Good ? value.value : null;
  return content?.text ?? content;
}

async function describeValue(session, name, nodeId) {
  const properties = await children(session, nodeId, NodeClass.Variable, "HasProperty");
  const unit = await session.read({ nodeId: properties.get("EngineeringUnits"), attributeId: AttributeIds.Value });
  const range = await read(session, properties.get("EURange"));
  return { name, nodeId, unit: unit.value.value.displayName.text, range: [range.low, range.high] };
}

async function describeMachine(session, name, nodeId) {
  const parts = await children(session, nodeId, NodeClass.Object);
  const identification = {};
  for (const [key, property] of await children(session, parts.get("Identification"))) {
    identification[key] = await read(session, property);
  }
  const values = [];
  for (const group of (await children(session, parts.get("Monitoring"), NodeClass.Object)).values()) {
    for (const [signal, variable] of await children(session, group, NodeClass.Variable)) {
      values.push(await describeValue(session, signal, variable));
    }
  }
  const blocks = await children(session, parts.get("MachineryBuildingBlocks"), NodeClass.Object);
  let state = null;
  if (blocks.has("MachineryItemState")) {
    state = await read(session, (await children(session, blocks.get("MachineryItemState"))).get("CurrentState"));
  }
  const methods = await children(session, nodeId, NodeClass.Method);
  return { name, nodeId, identification, values, state, methods };
}

async function subscribe(session, { nodeId }) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10,
    publishingEnabled: true,
  });
  const item = ClientMonitoredItem.create(
    subscription,
    { nodeId, attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 100, discardOldest: true },
    TimestampsToReturn.Both,
  );
  const seen = [];
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`only ${seen.length} values of ${nodeId} came`)), WAIT_MS);
    item.on("err", reject);
    item.on("changed", ({ value, statusCode }) => {
      if (statusCode === StatusCodes.Good && seen.push(value.value) === VALUES_WANTED) {
        clearTimeout(late);
        resolve();
      }
    });
  });
  await subscription.terminate();
  return seen;
}

async function call(session, { nodeId, methods }, method, inputArguments) {
  const { statusCode } = await session.call({ objectId: nodeId, methodId: methods.get(method), inputArguments });
  return statusCode.name;
}

const text = (value) => ({ dataType: DataType.String, value });
const number = (value) => ({ dataType: DataType.Double, value });

const client = OPCUAClient.create({
  applicationName: "walk",
  endpointMustExist: false,
  connectionStrategy: { maxRetry: 3, initialDelay: 200 },
});
await client.withSessionAsync(endpoint, async (session) => {
  const namespaces = await session.readNamespaceArray();
  const folder = `ns=${namespaces.indexOf(MACHINERY)};i=1001`;
  const machines = [];
  for (const [name, nodeId] of await children(session, folder, NodeClass.Object)) {
    machines.push(await describeMachine(session, name, nodeId));
  }
  const fails = machines.find(({ methods }) => methods.has("InjectFault"));
  const makes = machines.find(({ methods }) => methods.has("StartJob"));
  const speed = fails.values.find(({ name }) => name === "speed");
  const subscribed = { speed: await subscribe(session, speed) };
  const now = Date.now();
  const [past] = await session.readHistoryValue([speed.nodeId], new Date(0), new Date(now + 365 * 24 * 3600 * 1000));
  const calls = {
    InjectFault: await call(session, fails, "InjectFault", [text("bearing-wear"), number(0.5), number(10)]),
    StartJob: await call(session, makes, "StartJob", [text("flange-120")]),
    "StartJob of an unknown recipe": await call(session, makes, "StartJob", [text("rust")]),
  };
  const shown = machines.map((machine) => ({
    ...machine,
    nodeId: machine.nodeId.toString(),
    methods: [...machine.methods.keys()],
    values: machine.values.map((value) => ({ ...value, nodeId: value.nodeId.toString() })),
  }));
  console.log(JSON.stringify({ machines: shown, subscribed, history: past.historyData?.dataValues?.length ?? 0, calls }));
});
process.exit(0);
