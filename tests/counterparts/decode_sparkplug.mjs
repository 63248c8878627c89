// Reads Sparkplug B payloads with Eclipse Tahu's decoder: a line of base64 in, a line of JSON out.
import { createInterface } from "node:readline";
import sparkplug from "sparkplug-payload";

const { decodePayload } = sparkplug.get("spBv1.0");

// 64-bit integers come as objects of the package `long`; none here is beyond what a JSON number holds
const plain = (_key, value) => (value !== null && typeof value === "object" && "unsigned" in value ? value.toNumber() : value);

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(decodePayload(Buffer.from(line, "base64")), plain));
}
