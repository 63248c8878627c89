// Node-RED without an editor for anyone; function nodes have the model's runtime, and count what came for the bench.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.BENCH_PORT),
  httpAdminRoot: "/",
  credentialSecret: false,
  editorTheme: { tours: false, projects: { enabled: false } },
  diagnostics: { enabled: false, ui: false },
  logging: { console: { level: process.env.BENCH_ERR ? "info" : "error", metrics: false, audit: false } },
  functionTimeout: 0,
  // a function node lives in a realm of its own, whose Float32Array the runtime does not take for one
  functionGlobalContext: { ort: require("onnxruntime-node"), Floats: Float32Array },
};
