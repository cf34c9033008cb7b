// Builds the console into ../chalicelib/console/built (or another folder): text files only, named by their content.
//   node build.mjs [--out FOLDER] [--watch] [--dev]
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
/** Bytes, gzip: all that the first screen needs (HTML, CSS, JS). */
export const BUDGET = 80_000;

export const options = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
};

function styleSheets(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".css"))
    .map((entry) => relative(here, join(entry.parentPath ?? entry.path, entry.name)))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

// Tokens first, then parts, then what a feature adds.
function rank(path) {
  return ["src/theme/tokens.css", "src/theme/base.css", "src/parts/"].findIndex((start) => path.startsWith(start)) >>> 0;
}

/** The licence of every package of which something was built, as its authors want it to be handed on. */
export function licences(inputs) {
  const names = new Set(inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean));
  return [...names].sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license", "COPYING"].map((each) => join(folder, each)).find((each) => existsSync(each));
    if (!file) throw new Error(`${name} has no file with its licence. It can't be shipped without it.`);
    return { name, version: about.version, licence: about.license, text: readFileSync(file, "utf8").trim() };
  });
}

function licencesFile(found) {
  const line = "-".repeat(78);
  const parts = found.map(({ name, version, licence, text }) => `${line}\n${name} ${version}, ${licence}\n${line}\n\n${text}\n`);
  return `Lamplighter's console contains these libraries, which are used under the licences below.\n\n${parts.join("\n")}`;
}

export async function build({ out = join(here, "../chalicelib/console/built"), dev = false } = {}) {
  const common = { ...options, minify: !dev, write: false, metafile: true, outdir: out, define: { "process.env.NODE_ENV": dev ? '"development"' : '"production"' } };
  const script = await esbuild.build({
    ...common,
    entryPoints: { app: "src/main.tsx" },
    splitting: true,
    entryNames: "assets/[name]-[hash]",
    chunkNames: "assets/[name]-[hash]",
    sourcemap: dev ? "inline" : false,
  });
  const imports = [...styleSheets(join(here, "src")), "node_modules/uplot/dist/uPlot.min.css", "node_modules/@xterm/xterm/css/xterm.css"];
  const style = await esbuild.build({
    ...common,
    stdin: { contents: imports.map((path) => `@import "./${path}";`).join("\n"), resolveDir: here, loader: "css", sourcefile: "app.css" },
    entryNames: "assets/app-[hash]",
  });

  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, "assets"), { recursive: true });
  const weights = new Map();
  const put = (path, bytes) => {
    writeFileSync(join(out, path), bytes);
    weights.set(path, { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length });
  };
  for (const file of [...script.outputFiles, ...style.outputFiles]) {
    const name = basename(file.path) === "stdin.css" ? "app.css" : basename(file.path);
    put(`assets/${name}`, file.contents);
  }
  const icon = readFileSync(join(here, "src/theme/icon.svg"));
  const iconPath = `assets/icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8).toUpperCase()}.svg`;
  put(iconPath, icon);

  const outputs = Object.entries(script.metafile.outputs).map(([path, meta]) => [`assets/${basename(path)}`, meta]);
  const byPath = new Map(outputs);
  const entry = outputs.find(([, meta]) => meta.entryPoint === "src/main.tsx")[0];
  const reach = (path, seen = new Set()) => {
    if (seen.has(path)) return seen;
    seen.add(path);
    for (const each of byPath.get(path)?.imports ?? []) if (each.kind === "import-statement") reach(`assets/${basename(each.path)}`, seen);
    return seen;
  };
  const first = reach(entry);
  const stylePath = [...weights.keys()].find((path) => path.endsWith(".css"));
  const html = readFileSync(join(here, "index.html"), "utf8")
    .replace("%icon%", iconPath)
    .replace("%style%", stylePath)
    .replace("%script%", entry)
    .replace(/ *%preloads%\n/, [...first].filter((path) => path !== entry).map((path) => `    <link rel="modulepreload" href="${path}">\n`).join(""));
  put("index.html", Buffer.from(html));

  // What each screen loads beyond the first load.
  const screens = {};
  for (const [path, meta] of outputs) {
    if (!meta.entryPoint || path === entry) continue;
    screens[meta.entryPoint.replace(/^src\//, "")] = [...reach(path)].filter((each) => !first.has(each));
  }
  const packages = licences([...Object.keys(script.metafile.inputs), ...Object.keys(style.metafile.inputs)]);
  put("licences.txt", Buffer.from(licencesFile(packages)));
  const files = Object.fromEntries([...weights].sort());
  writeFileSync(join(out, "manifest.json"), `${JSON.stringify({ entry, style: stylePath, first: [...first], screens, files, packages: packages.map(({ name, version, licence }) => ({ name, version, licence })) }, null, 1)}\n`);

  const sum = (paths) => paths.reduce((all, path) => all + weights.get(path).gzip, 0);
  const overview = screens["overview/Overview.tsx"] ?? [];
  const firstLoad = sum(["index.html", stylePath, ...first, ...overview]);
  return { weights, screens, first: [...first], stylePath, firstLoad, sum };
}

export function report({ screens, first, stylePath, firstLoad, sum }) {
  const kb = (bytes) => `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
  const lines = [`${kb(sum([stylePath]))}  style sheet`, `${kb(sum(first))}  script of the first load`];
  for (const [name, paths] of Object.entries(screens).sort()) lines.push(`${kb(sum(paths))}  + ${name}`);
  lines.push(`${kb(firstLoad)}  first load in all, gzip (at most ${BUDGET / 1000} kB)`);
  return lines.join("\n");
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--out");
  const built = await build({ dev: process.argv.includes("--dev"), ...(at > 0 ? { out: resolve(process.argv[at + 1]) } : {}) });
  console.log(report(built));
  if (!process.argv.includes("--dev") && built.firstLoad > BUDGET) {
    console.error(`The first load weighs ${built.firstLoad} bytes, and may weigh ${BUDGET}. Load what is not needed at once later.`);
    process.exit(1);
  }
}
