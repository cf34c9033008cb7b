// Runs the unit tests: each src/**/*.test.ts(x), bundled, in Node with a small DOM.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { options } from "./build.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const tests = readdirSync(join(here, "src"), { recursive: true }).filter((name) => /\.test\.tsx?$/.test(name));
const out = mkdtempSync(join(tmpdir(), "console-tests-"));
await esbuild.build({
  ...options,
  entryPoints: tests.map((name) => join("src", name)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  // Before any module of the console, which looks for the page when it is loaded.
  inject: ["src/testing/dom.ts"],
  alias: { "happy-dom": join(here, "node_modules/happy-dom/lib/index.js") },
  external: [join(here, "node_modules/happy-dom/*")],
});
const files = readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".mjs")).map((name) => join(out, name));
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-force-exit", ...files], { stdio: "inherit" });
rmSync(out, { recursive: true });
process.exit(status ?? 1);
