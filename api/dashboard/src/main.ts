import { mount } from "svelte";
import "uplot/dist/uPlot.min.css";
import "./app.css";
import App from "./App.svelte";
import "./live/theme.svelte";
import { operator } from "./live/operator.svelte";
import { plant } from "./live/plant.svelte";

operator.takeFromAddress();
void operator.look();
addEventListener("hashchange", () => operator.takeFromAddress());
plant.start();

const target = document.getElementById("app");
if (target === null) throw new Error("index.html should have an element with the id 'app'");
mount(App, { target });
