// Lets two pages of headless Chromium talk through the client that is generated from the routes of
// examples/typescript.rs.
//
//   CHAT_URL=http://127.0.0.1:3000 node tests/browser/typescript.mjs

import assert from "node:assert/strict";

import { base, blank, check, run, say, shows } from "./pages.mjs";

const ROOM = "Büro 7 & 100%?#/"; // every character that percent-encoding must carry

async function open(browser, room) {
  const page = await blank(browser);
  await page.goto(`${base}/?room=${encodeURIComponent(room)}`);
  return page;
}

/** Waits until the log of a page ends in this text. */
const logs = (page, text) =>
  page.waitForFunction((text) => document.getElementById("log").textContent.endsWith(`: ${text}\n`), text);

await run(async (browser) => {
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
    // The first message says that the server has let the page in, which an open socket does not.
    const let_in = async (page) => (await page.waitForEvent("websocket")).waitForEvent("framereceived");
    const again = [ada, grace].map(let_in);
    await ada.click("#restart");
    await Promise.all(again);
    for (const page of [ada, grace]) await shows(page, "status", "open");
    await say(grace, "back");
    for (const page of [ada, grace]) await logs(page, "back");
  });
  await check("the other room has heard nothing", async () => {
    assert.equal(await alone.textContent("#log"), "");
  });
});
