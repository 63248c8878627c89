// Writes Sparkplug B payloads with Eclipse Tahu's encoder: a line of JSON in, a line of base64 out.
import { createInterface } from "node:readline";
import sparkplug from "sparkplug-payload";

const { encodePayload } = sparkplug.get("spBv1.0");

for await (const line of createInterface({ input: process.stdin })) {
  console.log(Buffer.from(encodePayload(JSON.parse(line))).toString("base64"));
}
