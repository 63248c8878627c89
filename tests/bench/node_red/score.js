// The function node `score`: a value of a signal, or the beat of a second, at which each asset is scored and told of.
const { nAssets, nSignals, nSamples, periodMs, site } = SETTINGS;
const counted = context.get("counted"), newest = context.get("newest"), rings = context.get("rings");
if (msg.topic !== "beat") {
  const index = Number(msg.topic.slice(msg.topic.lastIndexOf("=s") + 2));
  if (!(index >= 0)) return null; // the subscription's number
  newest[index] = msg.payload.value.value;
  const times = context.get("times"), time = msg.payload.sourceTimestamp.getTime();
  counted.values += 1;
  // after the last minute, which comes at once with a value for each second, each value is one period later
  const apart = time - times[index];
  if (times[index] && apart !== 1000 && apart !== periodMs) counted.missing += 1;
  times[index] = time;
  return null;
}
const place = counted.ticks % nSamples, first = (place + 1) * nSignals;
const all = newest.every(Number.isFinite);
for (let asset = 0; asset < nAssets; asset++) {
  const row = newest.subarray(asset * nSignals, (asset + 1) * nSignals);
  // the first row is the whole of the minute before it: nobody has to wait for that
  for (let k = counted.ticks ? place : 0; k <= (counted.ticks ? place : nSamples - 1); k++) {
    rings[asset].set(row, k * nSignals);
    rings[asset].set(row, (k + nSamples) * nSignals);
  }
}
let said = [];
if (all) {
  counted.ticks += 1;
  const ort = global.get("ort"), Floats = global.get("Floats"), session = context.get("session");
  const size = nSamples * nSignals, windows = new Floats(nAssets * size);
  for (let asset = 0; asset < nAssets; asset++) windows.set(rings[asset].subarray(first, first + size), asset * size);
  const found = await session.run({ window: new ort.Tensor("float32", windows, [nAssets, nSamples, nSignals]) });
  const time = new Date().toISOString();
  for (let asset = 0; asset < nAssets; asset++) {
    const payload = { schema: 1, asset: `press-${asset}`, time, score: found.score.data[asset], contribution: {}, expected: {}, measured: {} };
    for (let k = 0; k < nSignals; k++) {
      payload.contribution[`s${k}`] = found.contribution.data[asset * nSignals + k];
      payload.expected[`s${k}`] = found.expected.data[asset * nSignals + k];
      payload.measured[`s${k}`] = newest[asset * nSignals + k];
    }
    said.push({ topic: `${site}/press-${asset}/assessment`, payload, qos: 1, retain: true });
  }
  counted.scored += nAssets;
}
said.push({ topic: "bench/counted", payload: { ...counted }, qos: 1, retain: false });
return [said];
