// Reads what the edge's OPC UA server shows, waits for an alarm and acknowledges it, with node-opcua, and prints as JSON what
// it found, in the last line: node read_results.mjs opc.tcp://host:port
import {
  acknowledgeCondition,
  AttributeIds,
  BrowseDirection,
  callConditionRefresh,
  ClientMonitoredItem,
  constructEventFilter,
  DataType,
  makeBrowsePath,
  ofType,
  OPCUAClient,
  StatusCodes,
  TimestampsToReturn,
} from "node-opcua";

const DEVICES = "http://opcfoundation.org/UA/DI/";
const MACHINERY = "http://opcfoundation.org/UA/Machinery/";
const RESULTS = "urn:kullager:edge:edge-1";
const WAIT_MS = 30_000;
const FIELDS = [
  "EventId",
  "SourceName",
  "Message",
  "Severity",
  "Retain",
  "ConditionId",
  "ActiveState.Id",
  "AckedState.Id",
];
const NAMES = ["Score", "RulP90", "Measured.speed", "Measured.power", "AlarmText"];
const WITH_UNITS = ["RulP50", "Measured.speed", "Expected.power"];

const endpoint = process.argv[2];
if (!endpoint) {
  console.error("usage: node read_results.mjs opc.tcp://host:port");
  process.exit(2);
}

async function read(session, nodeId) {
  const { value, statusCode } = await session.read({ nodeId, attributeId: AttributeIds.Value });
  return statusCode.equals(StatusCodes.Good) ? (value.value?.text ?? value.value) : statusCode.name;
}

async function find(session, nodeId, path) {
  const { targets } = await session.translateBrowsePath(makeBrowsePath(nodeId, path));
  return targets[0].targetId;
}

async function until(condition, what) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error(`in vain waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function describe(session, name, nodeId, devices) {
  const own = (path) => `ns=${nodeId.namespace};s=${name}.${path}`;
  const values = {};
  for (const each of NAMES) values[each] = await read(session, own(each));
  const units = {};
  for (const each of WITH_UNITS) {
    const { value } = await session.read({
      nodeId: await find(session, own(each), ".EngineeringUnits"),
      attributeId: AttributeIds.Value,
    });
    units[each] = value.value.displayName.text;
  }
  const health = await find(session, nodeId, `.${devices}:DeviceHealth`);
  const { value: type } = await session.read({ nodeId: health, attributeId: AttributeIds.DataType });
  const { value: texts } = await session.read({
    nodeId: await find(session, type.value, ".EnumStrings"),
    attributeId: AttributeIds.Value,
  });
  const serial = await find(session, nodeId, `.${devices}:Identification.${devices}:SerialNumber`);
  return {
    values,
    units,
    health: texts.value[await read(session, health)].text,
    serial: await read(session, serial),
  };
}

// the newest event of each kind of alarm that is retained, as a refresh and later changes tell it
async function watch(session) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10,
    publishingEnabled: true,
  });
  const item = ClientMonitoredItem.create(
    subscription,
    { nodeId: "i=2253", attributeId: AttributeIds.EventNotifier },
    { samplingInterval: 0, queueSize: 100, filter: constructEventFilter(FIELDS, ofType("AlarmConditionType")) },
    TimestampsToReturn.Both,
  );
  const seen = [];
  item.on("changed", (fields) => seen.push(Object.fromEntries(FIELDS.map((name, index) => [name, fields[index].value]))));
  await new Promise((resolve, reject) => {
    item.on("initialized", resolve);
    item.on("err", (problem) => reject(new Error(problem)));
  });
  const status = await callConditionRefresh(session, subscription.subscriptionId);
  if (status.isNotGood()) throw new Error(`ConditionRefresh: ${status.name}`);
  return { subscription, seen };
}

async function watchValue(session, nodeId) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10,
    publishingEnabled: true,
  });
  const item = ClientMonitoredItem.create(
    subscription,
    { nodeId, attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 10, discardOldest: true },
    TimestampsToReturn.Both,
  );
  let seen = null;
  item.on("changed", ({ value }) => (seen = value.value));
  const found = await until(() => seen, "a watched value");
  await subscription.terminate();
  return found;
}

const client = OPCUAClient.create({
  applicationName: "read results",
  endpointMustExist: false,
  connectionStrategy: { maxRetry: 3, initialDelay: 200 },
});
await client.withSessionAsync(endpoint, async (session) => {
  const namespaces = await session.readNamespaceArray();
  const [devices, machinery, results] = [DEVICES, MACHINERY, RESULTS].map((uri) => namespaces.indexOf(uri));
  await until(async () => (await read(session, `ns=${results};s=pump-101.AlarmText`)) !== "", "an alarm");
  const { references } = await session.browse({
    nodeId: `ns=${machinery};i=1001`,
    referenceTypeId: "Organizes",
    browseDirection: BrowseDirection.Forward,
    includeSubtypes: true,
    resultMask: 63,
  });
  const machines = {};
  for (const { browseName, nodeId } of references.filter(({ browseName }) => browseName.name === "pump-101")) {
    machines[browseName.name] = await describe(session, browseName.name, nodeId, devices);
  }
  const [write] = await session.write([
    {
      nodeId: `ns=${results};s=pump-101.Score`,
      attributeId: AttributeIds.Value,
      value: { value: { dataType: DataType.Double, value: 1 } },
    },
  ]);
  const watched = await watchValue(session, `ns=${results};s=pump-101.Score`);
  const { subscription, seen } = await watch(session);
  const event = await until(() => seen[0], "the alarm's event");
  const acknowledged = await acknowledgeCondition(session, event.ConditionId, event.EventId, "seen by node-opcua");
  let afterwards = null;
  if (acknowledged.equals(StatusCodes.Good)) {
    afterwards = (await until(() => seen.find((each) => each["AckedState.Id"]), "its acknowledgement"))["AckedState.Id"];
  }
  await subscription.terminate();
  const alarm = {
    source: event.SourceName,
    message: event.Message.text,
    severity: event.Severity,
    active: event["ActiveState.Id"],
    acknowledged: event["AckedState.Id"],
    retain: event.Retain,
    condition: event.ConditionId.toString(),
  };
  console.log(JSON.stringify({ machines, write: write.name, watched, alarm, acknowledge: acknowledged.name, afterwards }));
});
process.exit(0);
