// Lets two pages of headless Chromium talk through a client that is written in Rust: examples/browser.
//
//   CHAT_URL=http://127.0.0.1:3000 node tests/browser/client.mjs

import assert from "node:assert/strict";

import { DEADLINE, base, blank, check, run, say, shows } from "./pages.mjs";

/** Waits until the condition holds. */
async function until(condition) {
  const late = Date.now() + DEADLINE;
  while (!condition()) {
    if (Date.now() > late) throw new Error(`not within ${DEADLINE} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Opens a page, and keeps the frames of its sockets. */
async function open(browser) {
  const page = await blank(browser);
  const sockets = [];
  page.on("websocket", (socket) => {
    const frames = { sent: [], received: [] };
    sockets.push(frames);
    // The order to restart is no JSON.
    socket.on("framesent", ({ payload }) => payload !== "restart" && frames.sent.push(JSON.parse(payload)));
    socket.on("framereceived", ({ payload }) => frames.received.push(JSON.parse(payload)));
  });
  await page.goto(base);
  return { page, sockets };
}

/** Waits until the page's socket of this number is subscribed. */
const subscribed = ({ sockets }, number) =>
  until(() => sockets[number - 1]?.received.some(({ subscribed }) => subscribed === "talk"));

await run(async (browser) => {
  const [ada, grace] = [await open(browser), await open(browser)];
  await check("the clients connect, and subscribe", async () => {
    for (const one of [ada, grace]) {
      await shows(one.page, "status", "Open");
      await subscribed(one, 1);
    }
  });
  await check("what one says reaches the other", async () => {
    await say(ada.page, "hello");
    await shows(grace.page, "log", "hello\n");
    await say(grace.page, "日本 </b>");
    await shows(ada.page, "log", "日本 </b>\n");
  });
  await check("after the server has closed, both connect and subscribe again", async () => {
    // Said while there is no connection, so that it waits for the next one.
    await ada.page.evaluate(() => {
      const status = document.getElementById("status");
      const observer = new MutationObserver(() => {
        if (status.textContent !== "Connecting") return;
        observer.disconnect();
        document.querySelector("[name=text]").value = "meanwhile";
        document.getElementById("say").requestSubmit();
      });
      observer.observe(status, { childList: true });
    });
    await grace.page.click("#restart");
    for (const one of [ada, grace]) {
      await subscribed(one, 2);
      await shows(one.page, "status", "Open");
    }
    await say(ada.page, "back");
    await grace.page.waitForFunction(() => document.getElementById("log").textContent.endsWith("back\n"));
  });
  await check("what waited follows the subscription", async () => {
    const [first, second] = ada.sockets.at(-1).sent;
    assert.deepEqual(first, { subscribe: "talk" });
    assert.deepEqual(second, { publish: "talk", data: "meanwhile" });
    assert.equal(ada.sockets.length, 2);
  });
  await check("a client that leaves does not come back", async () => {
    await ada.page.click("#leave");
    await shows(ada.page, "status", "Closed");
    await grace.page.click("#restart");
    await subscribed(grace, 3);
    assert.equal(ada.sockets.length, 2);
  });
});
