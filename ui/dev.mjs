// Builds at each change of a source. `make run` in another terminal serves what is built.
import { watch } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";

const here = dirname(fileURLToPath(import.meta.url));
let timer;
async function again() {
  const began = Date.now();
  try {
    await build({ dev: true });
    console.log(`built in ${Date.now() - began} ms`);
  } catch {
    // esbuild has told what is wrong; the next change tries again.
  }
}
await again();
watch(join(here, "src"), { recursive: true }, () => {
  clearTimeout(timer);
  timer = setTimeout(again, 50);
});
