import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  // relative addresses: the dashboard also works below a path, behind a reverse proxy
  base: "./",
  build: {
    target: "es2022",
    // the Content-Security-Policy allows no data: addresses
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
