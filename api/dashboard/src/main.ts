import { mount } from "svelte";
import "uplot/dist/uPlot.min.css";
import "./app.css";
import App from "./App.svelte";
import "./live/theme.svelte";
import { operator } from "./live/operator.svelte";
import { plant } from "./live/plant.svelte";

operator.takeFromAddress();
void operator.look();
// at once, unlike hashchange, before which the address may have changed again
addEventListener("popstate", () => operator.takeFromAddress());
plant.start();

const target = document.getElementById("app");
if (target === null) throw new Error("index.html should have an element with the id 'app'");
mount(App, { target });
