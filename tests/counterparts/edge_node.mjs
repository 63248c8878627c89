// An edge node by others (Eclipse Tahu's client for JavaScript): `node edge_node.mjs URL` gives births and ten values a second, until
// its input ends, and says on its output how often it was asked for a rebirth.
import client_of from "sparkplug-client";

const client = client_of.newClient({
  serverUrl: process.argv[2], username: "", password: "", groupId: "hall-1", edgeNode: "gateway", clientId: "tahu",
  version: "spBv1.0", publishDeath: true,
});
let force = 0, rebirths = 0;
const device = () => ({
  timestamp: Date.now(),
  metrics: [
    { name: "Force/Main", value: force, type: "Double", timestamp: Date.now() },
    { name: "Recipe", value: "A", type: "String", timestamp: Date.now() },
  ],
});
client.on("birth", () => {
  const now = Date.now();
  client.publishNodeBirth({
    timestamp: now,
    metrics: [
      { name: "Node Control/Rebirth", type: "Boolean", value: false, timestamp: now },
      { name: "Load", type: "Double", value: 0.5, timestamp: now },
    ],
  });
  client.publishDeviceBirth("Press 1", device());
});
client.on("ncmd", (payload) => {
  if (payload.metrics?.some((metric) => metric.name === "Node Control/Rebirth" && metric.value)) {
    rebirths += 1;
    console.log(rebirths);
    client.emit("birth");
  }
});
const timer = setInterval(() => {
  force += 1;
  client.publishDeviceData("Press 1", {
    timestamp: Date.now(),
    metrics: [{ name: "Force/Main", value: force, type: "Double", timestamp: Date.now() }],
  });
}, 100);
process.stdin.on("data", () => {}).on("end", () => {
  clearInterval(timer);
  client.stop();
  setTimeout(() => process.exit(0), 300);
});
