// Compiles generated clients with `tsc`, runs one against the founding app and the others on a scripted
// WebSocket, and validates the AsyncAPI documents.
//
//   node tests/typescript/run.mjs PROGRAM    where PROGRAM is the example `founding`, built
//
// The npm packages come from this folder and from tests/clients. Prints one line per check.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const DEADLINE = 120_000;
const here = dirname(fileURLToPath(import.meta.url));
const golden = join(here, "../../codegen/tests/golden");
const APPS = ["types", "names", "calls", "injection"];
const [program] = process.argv.slice(2);
if (!program) {
  console.error("use: run.mjs PROGRAM");
  process.exit(2);
}
const WebSocket = createRequire(new URL("../clients/package.json", import.meta.url))("ws");
const folder = mkdtempSync(join(tmpdir(), "crossws-typescript-"));

let count = 0;
async function check(what, test) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${DEADLINE} ms`)), DEADLINE);
  });
  try {
    await Promise.race([test(), late]);
  } catch (error) {
    console.log(`not ok ${++count} - ${what}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
  console.log(`ok ${++count} - ${what}`);
}

function run(file, args, options = {}) {
  try {
    return execFileSync(file, args, { encoding: "utf8", stdio: "pipe", ...options });
  } catch (error) {
    throw new Error(`${file} ${args.join(" ")}\n${error.stdout ?? ""}${error.stderr ?? ""}`);
  }
}

/** Compiles these files with the options of `tsconfig.json` and these. */
function tsc(include, compilerOptions = {}) {
  const config = join(folder, "tsconfig.json");
  writeFileSync(config, JSON.stringify({ extends: join(here, "tsconfig.json"), compilerOptions, include }));
  run(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", config]);
}

async function validate(document) {
  const { diagnostics, document: parsed } = await new Parser().parse(document);
  const wrong = diagnostics.filter(({ severity }) => severity <= DiagnosticSeverity.Warning);
  assert.deepEqual(wrong.map(({ path, message }) => `${path.join("/")}: ${message}`), []);
  return parsed;
}

/** Runs the app while the test runs. */
async function serve(test) {
  const server = spawn(program, [], { env: { ...process.env, PORT: "0" }, stdio: ["ignore", "pipe", "ignore"] });
  try {
    for await (const line of createInterface({ input: server.stdout })) {
      const address = /http:\/\/\S+/.exec(line);
      if (address) return await test(address[0]);
    }
    throw new Error("the app printed no address");
  } finally {
    server.kill();
  }
}

try {
  await check("the clients of hard apps compile, and uses of them as they should", async () => {
    tsc([join(golden, "**/*.ts"), join(here, "uses.ts")]);
  });

  await check("they also compile with the oldest language and the types of browsers", async () => {
    tsc([join(golden, "**/ts/*.ts")], { target: "es2020", lib: ["es2020", "dom"] });
  });

  await check("the runtime keeps its promises", async () => {
    for (const app of APPS) copyFileSync(join(golden, app, "js/sockets.js"), join(folder, `${app}.mjs`));
    run(process.execPath, ["--test", join(here, "runtime.test.mjs")], { env: { ...process.env, CLIENT: folder } });
  });

  await check("no text of an app is code of its client", async () => {
    globalThis.alert = () => {
      throw new Error("the text of an app has run");
    };
    await import(pathToFileURL(join(folder, "injection.mjs")));
  });

  for (const app of APPS) {
    await check(`the document of ${app} is valid`, async () => {
      await validate(readFileSync(join(golden, app, "asyncapi.json"), "utf8"));
    });
  }

  await check("the founding app's document is valid, and has a channel for each route", async () => {
    const document = await validate(run(program, ["describe"]));
    assert.equal(document.version(), "3.0.0");
    const addresses = document.channels().all().map((channel) => channel.address());
    for (const address of ["/api/ws", "/api/ws/rooms/{id}", "/mock/ws/chat", "/_socket/tools/terminal"]) {
      assert.ok(addresses.includes(address), address);
    }
  });

  await check("the founding app's client is written, and checked", async () => {
    run(program, ["client", folder]);
    run(program, ["check", folder]);
    const path = join(folder, "sockets.ts");
    const code = readFileSync(path, "utf8");
    writeFileSync(path, code.replace("connectRooms(", "connectRoom("));
    assert.throws(() => run(program, ["check", folder]), /\n-export function connectRoom\(/);
    writeFileSync(path, code);
  });

  await check("a program that uses it compiles", async () => {
    copyFileSync(join(here, "drive.ts"), join(folder, "drive.ts"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const emits = { noEmit: false, outDir: join(folder, "out"), rootDir: folder, rewriteRelativeImportExtensions: true };
    tsc([join(folder, "drive.ts")], emits);
  });

  const { drive } = await import(pathToFileURL(join(folder, "out/drive.js")));
  await serve((base) => drive({ base, WebSocket, check, equal: assert.deepEqual }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
