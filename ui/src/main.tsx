/** Start of the console. */
import "@preact/signals";
import { render } from "preact";
import { App } from "./app/App";
import { start } from "./app/session";
import { applyTheme } from "./app/stored";

applyTheme();
const root = document.getElementById("app");
if (root) render(<App />, root);
void start();
