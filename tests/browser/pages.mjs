// What the scripts here share: a headless Chromium, its pages, and one line per assertion. Every wait is for
// a condition, with a deadline.
//
// CHAT_URL is the server's address. CHROMIUM names the browser (default /usr/bin/chromium). The npm packages
// come from tests/clients.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../clients/package.json", import.meta.url))("playwright-core");

export const base = process.env.CHAT_URL;
export const DEADLINE = 10_000;

/** Uncaught errors and error lines of every page's console. */
export const troubles = [];

let count = 0;

export async function check(what, test) {
  try {
    await test();
  } catch (error) {
    console.log(`not ok ${++count} - ${what}`);
    throw error;
  }
  console.log(`ok ${++count} - ${what}`);
}

/** Returns a new page in a context of its own, whose errors are troubles. */
export async function blank(browser) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(DEADLINE);
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (line) => line.type() === "error" && troubles.push(line.text()));
  return page;
}

/** Waits until an element of the page has this text. */
export const shows = (page, id, text) =>
  page.waitForFunction(([id, text]) => document.getElementById(id).textContent === text, [id, text]);

export async function say(page, text) {
  await page.fill("[name=text]", text);
  await page.press("[name=text]", "Enter");
}

/** Runs checks in a browser, and ends the process: with a status that is not zero after the first failure. */
export async function run(checks) {
  // A launch has its own temporary user data directory, removed when it closes.
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
  let failure = null;
  try {
    await checks(browser);
    await check("no page reported an error", () => assert.deepEqual(troubles, []));
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
  // Sockets of a failed run may still be open.
  process.exit(failure ? 1 : 0);
}
