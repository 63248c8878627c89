// On start of the function node `score`: the model, and for each signal where its values go.
const { model, nAssets, nSignals, nSamples } = SETTINGS;
const ort = global.get("ort");
context.set("session", await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 }));
// newest value of each signal; the last minute of each asset, one instant after another, twice: a window is one stretch
context.set("newest", new Float32Array(nAssets * nSignals).fill(NaN));
context.set("rings", Array.from({ length: nAssets }, () => new Float32Array(2 * nSamples * nSignals)));
context.set("times", new Float64Array(nAssets * nSignals));
context.set("counted", { ticks: 0, values: 0, missing: 0, scored: 0 });
