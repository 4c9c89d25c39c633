// Lets two pages of headless Chromium talk through the client that is generated from the routes of
// examples/typescript.rs.
//
//   CHAT_URL=http://127.0.0.1:3000 node tests/browser/typescript.mjs
//
// CHROMIUM names the browser (default /usr/bin/chromium). The npm packages come from tests/clients.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../clients/package.json", import.meta.url))("playwright-core");

const base = process.env.CHAT_URL;
const DEADLINE = 10_000;
const ROOM = "Büro 7 & 100%?#/"; // every character that percent-encoding must carry
const troubles = [];
let count = 0;

async function check(what, test) {
  try {
    await test();
  } catch (error) {
    console.log(`not ok ${++count} - ${what}`);
    throw error;
  }
  console.log(`ok ${++count} - ${what}`);
}

async function open(browser, room) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(DEADLINE);
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (line) => line.type() === "error" && troubles.push(line.text()));
  await page.goto(`${base}/?room=${encodeURIComponent(room)}`);
  return page;
}

/** Waits until an element of the page has this text. */
const shows = (page, id, text) =>
  page.waitForFunction(([id, text]) => document.getElementById(id).textContent === text, [id, text]);

/** Waits until the log of a page ends in this text. */
const logs = (page, text) =>
  page.waitForFunction((text) => document.getElementById("log").textContent.endsWith(`: ${text}\n`), text);

async function say(page, text) {
  await page.fill("[name=text]", text);
  await page.press("[name=text]", "Enter");
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
let failure = null;
try {
  const [ada, grace] = [await open(browser, ROOM), await open(browser, ROOM)];
  const alone = await open(browser, "other");
  await check("the pages connect to the room of their parameter", async () => {
    for (const page of [ada, grace]) {
      await shows(page, "status", "open");
      await shows(page, "guests", "2");
    }
    await shows(alone, "guests", "1");
  });
  await check("a call has its result", () => shows(ada, "sum", "42"));
  await check("messages reach both pages as they are", async () => {
    for (const text of ["hello", "</script><b>*/ `${1}`"]) {
      await say(ada, text);
      for (const page of [ada, grace]) await logs(page, text);
    }
  });
  await check("after a restart both pages come back, at the time that the server names", async () => {
    const again = [ada, grace].map((page) => page.waitForEvent("websocket"));
    await ada.click("#restart");
    await Promise.all(again);
    for (const page of [ada, grace]) await shows(page, "status", "open");
    await say(grace, "back");
    for (const page of [ada, grace]) await logs(page, "back");
  });
  await check("the other room has heard nothing", async () => {
    assert.equal(await alone.textContent("#log"), "");
  });
  await check("no page reported an error", async () => assert.deepEqual(troubles, []));
} catch (error) {
  failure = error;
} finally {
  await browser.close();
}
if (failure) {
  console.error(failure.stack ?? failure);
  if (troubles.length) console.error(troubles.join("\n"));
}
console.log(failure ? `# failed after ${count} assertions` : `# all ${count} assertions hold`);
process.exit(failure ? 1 : 0);
