// Drives the chat example through real headless Chromium pages.
//
//   CHAT_URL=http://127.0.0.1:3000 node tests/browser/chat.mjs [--screenshot PATH]
//
// CHROMIUM names the browser (default /usr/bin/chromium). The npm packages come
// from tests/clients. Prints one line per assertion; the first failure ends the
// run with a non-zero status. Every wait is for a condition, with a deadline.

import assert from "node:assert/strict";
import http from "node:http";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

import { DEADLINE, check, run, troubles } from "./pages.mjs";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const WebSocket = require("ws");

const { values: options } = parseArgs({ options: { screenshot: { type: "string" } } });
if (!process.env.CHAT_URL) {
  console.error("CHAT_URL is not set: start `cargo run -p chat` and pass its address");
  process.exit(2);
}
const base = new URL(process.env.CHAT_URL);
const LOBBY = "lobby";
const OTHER = "Büro 7 & 100%?#"; // every character that percent-encoding must carry

// ---- Assertions and waits -------------------------------------------------------

// Reads until the value equals the expected one. The error contains the last value.
async function eventually(read, expected, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const actual = await read();
    try {
      return assert.deepEqual(actual, expected);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// ---- A page and what it shows ---------------------------------------------------

class Chat {
  static async open(browser, label, query = "", settings = {}) {
    const { before, ...context } = settings;
    const chat = new Chat();
    chat.label = label;
    chat.frames = [];
    chat.context = await browser.newContext({ viewport: { width: 900, height: 640 }, locale: "en-GB", timezoneId: "UTC", ...context });
    chat.context.setDefaultTimeout(DEADLINE);
    chat.page = await chat.context.newPage();
    chat.page.on("pageerror", (error) => troubles.push(`${label}: ${error.message}`));
    chat.page.on("console", (line) => line.type() === "error" && troubles.push(`${label}: ${line.text()}`));
    chat.page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => chat.frames.push(JSON.parse(payload)));
    });
    await before?.(chat.page);
    await chat.page.goto(new URL(`/${query}`, base).href);
    return chat;
  }
  static link(name, room) {
    return `?${new URLSearchParams({ name, room })}`;
  }
  get(id) {
    return this.page.getByTestId(id);
  }
  query() {
    return Object.fromEntries(new URL(this.page.url()).searchParams);
  }
  state() {
    return this.get("status").getAttribute("data-state");
  }
  async people() {
    return (await this.get("person-name").allInnerTexts()).toSorted();
  }
  me() {
    return this.page.locator('[data-testid=person][data-own=true] [data-testid=person-name]').allInnerTexts();
  }
  messages() {
    return this.get("message").evaluateAll((nodes) => nodes.map((node) => {
      const part = (id) => node.querySelector(`[data-testid=${id}]`).textContent;
      return { name: part("message-name"), text: part("message-text"), own: node.dataset.own === "true" };
    }));
  }
  shows(words) {
    return this.get("message-text").getByText(words, { exact: true }).first().waitFor();
  }
  lines(kind) {
    return this.page.locator(`[data-testid=system][data-kind=${kind}]`).allInnerTexts();
  }
  typing() {
    return this.get("typing").innerText();
  }
  async say(words) {
    await this.page.getByLabel("Message", { exact: true }).fill(words);
    await this.page.keyboard.press("Enter");
  }
  async switchTo(room) {
    await this.page.getByRole("button", { name: "Switch room" }).click();
    await this.page.getByLabel("Go to room").fill(room);
    await this.page.keyboard.press("Enter");
  }
  close() {
    return this.context.close();
  }
}

// ---- Clients that are not pages -------------------------------------------------

// Returns the status of the response to an upgrade request: 101, or the refusal's.
function upgradeStatus(path) {
  return new Promise((resolve, reject) => {
    const request = http.request(new URL(path, base), {
      headers: {
        Connection: "Upgrade", Upgrade: "websocket", Origin: base.origin,
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
      timeout: DEADLINE,
    });
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer to ${path}`)));
    request.on("error", reject);
    request.end();
  });
}

const socketPath = (name, room) => `/rooms/${encodeURIComponent(room)}?name=${encodeURIComponent(name)}`;

async function rawClient(name, room) {
  const url = new URL(socketPath(name, room), base);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, { origin: base.origin, handshakeTimeout: DEADLINE });
  const received = [];
  socket.on("message", (data) => received.push(JSON.parse(data)));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return { socket, received, send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)) };
}

// The native chat sends to every room. A Worker's rooms are separate, so the request names one.
async function announce(notice) {
  const response = await fetch(new URL(`/announce?room=${LOBBY}`, base), {
    method: "POST", body: notice, headers: { "Content-Type": "text/plain; charset=utf-8" },
    signal: AbortSignal.timeout(DEADLINE),
  });
  await response.text();
  return response;
}

// ---- The chat, end to end -------------------------------------------------------

async function chat(browser) {
  await check("GET / serves the page as HTML", async () => {
    const response = await fetch(base, { signal: AbortSignal.timeout(DEADLINE) });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^text\/html/);
    await response.text();
  });
  for (const [what, path] of [
    ["no name", "/rooms/lobby"],
    ["an empty name", socketPath("", LOBBY)],
    ["a name of 33 characters", socketPath("x".repeat(33), LOBBY)],
  ]) {
    await check(`an upgrade with ${what} is refused with 400`, async () => assert.equal(await upgradeStatus(path), 400));
  }
  await check("a name of 32 characters is accepted, however many bytes they take", async () => {
    assert.equal(await upgradeStatus(socketPath("é".repeat(32), "counting")), 101);
  });

  const ada = await Chat.open(browser, "Ada");
  await check("the join form refuses an empty name and says so", async () => {
    await ada.page.getByRole("button", { name: "Join" }).click();
    await eventually(() => ada.get("join-error").innerText(), "Please enter a name.");
  });
  await check("the join form refuses a name of 33 characters and says so", async () => {
    await ada.page.getByLabel("Your name").fill("x".repeat(33));
    await ada.page.keyboard.press("Enter");
    await eventually(() => ada.get("join-error").innerText(), "A name has at most 32 characters; this one has 33.");
  });
  await check("Ada joins the lobby by keyboard alone", async () => {
    await ada.page.getByLabel("Your name").fill("Ada");
    await ada.page.keyboard.press("Enter");
    await eventually(() => ada.get("room-name").innerText(), LOBBY);
    await eventually(() => ada.state(), "online");
    await eventually(() => ada.people(), ["Ada"]);
  });
  await check("the address now holds the name and the room", async () => {
    assert.deepEqual(ada.query(), { name: "Ada", room: LOBBY });
  });

  // Alan is in another room from the start. Messages that must not reach him are checked below.
  const alan = await Chat.open(browser, "Alan", Chat.link("Alan", OTHER));
  await check("a link with name and room joins directly, whatever characters the room has", async () => {
    await eventually(() => alan.get("room-name").innerText(), OTHER);
    await eventually(() => alan.people(), ["Alan"]);
  });

  const grace = await Chat.open(browser, "Grace", Chat.link("Grace", LOBBY));
  await check("Ada sees that Grace joined", async () => {
    await eventually(() => ada.lines("joined"), ["Grace joined"]);
  });
  for (const [page, name] of [[ada, "Ada"], [grace, "Grace"]]) {
    await check(`${name}'s page shows both people and marks ${name}`, async () => {
      await eventually(() => page.people(), ["Ada", "Grace"]);
      await eventually(() => page.get("people-count").innerText(), "2");
      assert.deepEqual(await page.me(), [name]);
    });
  }

  const said = [["Ada", "one"], ["Ada", "two"], ["Ada", "three"], ["Grace", "four"]];
  await ada.say("one");
  await ada.say("two");
  await ada.say("three");
  await grace.shows("three");
  await grace.say("four");
  for (const [page, name] of [[ada, "Ada"], [grace, "Grace"]]) {
    await check(`${name}'s page shows each message once, in order, her own marked`, async () => {
      await page.shows("four");
      const expected = said.map(([by, text]) => ({ name: by, text, own: by === name }));
      assert.deepEqual(await page.messages(), expected);
    });
  }
  await check("each message shows its time", async () => {
    for (const time of await grace.get("message-time").allTextContents()) assert.match(time, /^\d\d:\d\d$/);
  });

  // Grace presses the first key of a message. Again, if the keys rested before a busy machine has looked.
  const begins = async (key, shown) => {
    for (let tries = 3; ; tries--) {
      await grace.get("text").fill("");
      await grace.get("text").press(key);
      try {
        return await eventually(() => ada.typing(), shown, 1_500);
      } catch (error) {
        if (tries === 1) throw error;
      }
    }
  };
  await check("a first keystroke shows on the other page as typing", () => begins("h", "Grace is typing…"));
  await check("who types does not see it", async () => assert.equal(await grace.typing(), ""));
  await check("the typing line goes away when the keys rest", async () => {
    await eventually(() => ada.typing(), "");
    assert.equal(await grace.get("text").inputValue(), "h");
  });
  await check("the typing line goes away when the message is sent", async () => {
    await begins("h", "Grace is typing…");
    await grace.get("text").press("i");
    await grace.get("text").press("Enter");
    await ada.shows("hi");
    assert.equal(await ada.typing(), "");
  });
  await check("two people typing are both named, and one who leaves is not", async () => {
    const linus = await rawClient("Linus", LOBBY);
    linus.send({ type: "typing", on: true });
    await eventually(() => ada.typing(), "Linus is typing…");
    await begins("x", "Linus and Grace are typing…");
    linus.socket.close(1000);
    await eventually(() => ada.lines("left"), ["Linus left"]);
    assert.doesNotMatch(await ada.typing(), /Linus/);
    await grace.get("text").fill("");
    await eventually(() => ada.typing(), "");
  });

  const markup = `<img src="x" onerror="document.title='owned'"><b>bold</b> &amp;`;
  await ada.say(markup);
  for (const [page, name] of [[ada, "Ada"], [grace, "Grace"]]) {
    await check(`HTML in a message is text on ${name}'s page`, async () => {
      await eventually(async () => (await page.messages()).at(-1).text, markup);
      assert.equal(await page.get("log").locator("img, b").count(), 0);
      assert.match(await page.page.title(), /^#lobby/);
    });
  }

  await check("another room sees nothing of it", async () => {
    await alan.say("just me");
    await alan.shows("just me");
    assert.deepEqual(await alan.messages(), [{ name: "Alan", text: "just me", own: true }]);
    assert.deepEqual(await alan.people(), ["Alan"]);
    await eventually(() => alan.frames.map((frame) => frame.type), ["welcome", "said"]);
  });

  await grace.switchTo(OTHER);
  await check("switching the room takes Grace out of the lobby", async () => {
    await eventually(() => ada.lines("left"), ["Linus left", "Grace left"]);
    await eventually(() => ada.people(), ["Ada"]);
  });
  await check("and brings her into the other room, with an empty log and a new address", async () => {
    await eventually(() => alan.people(), ["Alan", "Grace"]);
    await eventually(() => alan.lines("joined"), ["Grace joined"]);
    await eventually(() => grace.people(), ["Alan", "Grace"]);
    assert.equal(await grace.get("room-name").innerText(), OTHER);
    assert.deepEqual(await grace.messages(), []);
    assert.deepEqual(grace.query(), { name: "Grace", room: OTHER });
  });
  await check("the browser's Back button brings her back to the lobby", async () => {
    await grace.page.goBack();
    await eventually(() => ada.people(), ["Ada", "Grace"]);
    await eventually(() => alan.people(), ["Alan"]);
    await eventually(() => grace.people(), ["Ada", "Grace"]);
    assert.equal(await grace.get("room-name").innerText(), LOBBY);
  });
  await check("Grace sees Ada leave and join again when Ada reloads", async () => {
    await ada.page.reload();
    await eventually(() => grace.lines("left"), ["Ada left"]);
    await eventually(() => grace.lines("joined"), ["Ada joined"]);
    await eventually(() => grace.people(), ["Ada", "Grace"]);
    await eventually(() => ada.people(), ["Ada", "Grace"]);
  });

  const notice = "Deploy at <b>18:00</b> & back at once";
  await check("POST /announce is accepted", async () => {
    const response = await announce(notice);
    assert.ok(response.ok, `status ${response.status}`);
  });
  for (const [page, name] of [[ada, "Ada"], [grace, "Grace"]]) {
    await check(`the announcement shows on ${name}'s page`, async () => {
      await eventually(() => page.lines("announced"), [`Announcement${notice}`]);
    });
  }

  await check("bad input is answered with an error, and the connection stays", async () => {
    const client = await rawClient("Bobby", "errors");
    for (const bad of ["not json", '{"type":"nope"}', '{"type":"say"}']) client.send(bad);
    client.send({ type: "say", text: "still here" });
    await eventually(() => client.received.map(({ type }) => type), ["welcome", "error", "error", "error", "said"]);
    for (const { message } of client.received.slice(1, 4)) assert.ok(message, "an error has a message");
    client.socket.close(1000);
  });

  await check("closing Grace's page shows on Ada's", async () => {
    await grace.close();
    await eventually(async () => (await ada.lines("left")).at(-1), "Grace left");
    await eventually(() => ada.people(), ["Ada"]);
    await eventually(() => ada.get("people-count").innerText(), "1");
  });
  await ada.close();
  await alan.close();
}

// ---- What the page does when a connection ends ----------------------------------

// Here the test plays the server's side of the socket, and Playwright controls the page's clock, so
// that every close code and a minute of back-off take no time.
async function reconnecting(browser) {
  const sockets = [];
  let refuse = false;
  const chat = await Chat.open(browser, "reconnecting", Chat.link("Ada", LOBBY), {
    before: async (page) => {
      await page.clock.install();
      await page.addInitScript(() => { Math.random = () => 0.5; }); // the middle of each range
      await page.routeWebSocket(/\/rooms\//, (socket) => {
        sockets.push(socket);
        if (refuse) socket.close({ code: 1011 });
        else socket.send(JSON.stringify({ type: "welcome", id: "a", name: "Ada", room: LOBBY, people: [{ id: "a", name: "Ada" }] }));
      });
    },
  });
  const { clock } = chat.page;
  const end = async (code, reason) => sockets.at(-1).close({ code, reason });
  await eventually(() => chat.state(), "online");
  await clock.pauseAt(Date.now() + 60_000);

  await check("after 1012 the page is back within two seconds, every time", async () => {
    for (let restart = 1; restart <= 6; restart++) {
      await end(1012);
      await eventually(() => chat.state(), "waiting");
      await clock.runFor(2_000);
      await eventually(() => chat.state(), "online");
      assert.equal(sockets.length, 1 + restart);
    }
  });
  for (const code of [1000, 1008, 3000, 4000, 4999]) {
    await check(`after ${code} the page stays away until it is told to reconnect`, async () => {
      const before = sockets.length;
      await end(code, "enough");
      await eventually(() => chat.state(), "offline");
      await clock.runFor(120_000);
      assert.equal(await chat.state(), "offline");
      assert.equal(sockets.length, before);
      assert.equal((await chat.lines("info")).at(-1), "Disconnected: enough");
      await chat.page.getByRole("button", { name: "Reconnect" }).click();
      await eventually(() => chat.state(), "online");
    });
  }
  await check("a draft survives a lost connection and is not sent into the void", async () => {
    await clock.runFor(30_000); // a connection that lasts takes the back-off to its start
    await chat.get("text").fill("draft");
    await end(1011);
    await eventually(() => chat.state(), "waiting");
    await chat.get("text").press("Enter");
    assert.equal(await chat.get("text").inputValue(), "draft");
    await clock.runFor(2_000);
    await eventually(() => chat.state(), "online");
  });
  await check("a server that stays away is asked after random parts of 0.5, 1, 2, 4, 8, 16, 30 and 30 s", async () => {
    await clock.runFor(30_000);
    refuse = true;
    await end(1001);
    for (const delay of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const before = sockets.length;
      await eventually(() => chat.state(), "waiting");
      await clock.runFor(delay / 2 - 10);
      assert.equal(await chat.state(), "waiting");
      assert.equal(sockets.length, before, `asked sooner than ${delay / 2} ms`);
      await clock.runFor(10);
      await eventually(() => sockets.length, before + 1);
    }
    refuse = false;
    await eventually(() => chat.state(), "waiting");
    await clock.runFor(15_000);
    await eventually(() => chat.state(), "online");
    assert.equal((await chat.lines("info")).at(-1), "Connected again.");
  });
  await chat.close();

  await check("a refused first connection shows the error on the form", async () => {
    const refused = await Chat.open(browser, "refused", Chat.link("Ada", LOBBY), {
      before: (page) => page.routeWebSocket(/\/rooms\//, (socket) => socket.close({ code: 1008, reason: "That name is taken." })),
    });
    await eventually(() => refused.get("join-error").innerText(), "That name is taken.");
    assert.equal(await refused.get("name").inputValue(), "Ada");
    await refused.close();
  });
}

// ---- How it looks ---------------------------------------------------------------

async function layout(browser) {
  for (const colorScheme of ["light", "dark"]) {
    await check(`nothing overflows at 320 pixels, ${colorScheme} scheme`, async () => {
      const phone = await Chat.open(browser, "phone", Chat.link("W".repeat(32), "M".repeat(64)),
        { viewport: { width: 320, height: 560 }, colorScheme });
      await eventually(() => phone.state(), "online");
      await phone.say("w".repeat(300));
      await phone.get("message").waitFor();
      const [page, log] = await phone.page.evaluate(() => [document.documentElement, document.querySelector("[data-testid=log]")]
        .map((node) => node.scrollWidth - node.clientWidth));
      assert.deepEqual([page, log], [0, 0]);
      await phone.get("send").click({ trial: true }); // in view and not covered
      await phone.close();
    });
  }
}

// Two pages of one conversation, side by side, for the README.
async function screenshot(browser, path) {
  const settings = { viewport: { width: 464, height: 564 }, deviceScaleFactor: 2, colorScheme: "light", reducedMotion: "reduce" };
  const at = (minute) => new Date(`2026-03-02T10:${minute}:00Z`);
  const before = (page) => page.clock.setFixedTime(at(24));
  const ada = await Chat.open(browser, "Ada", Chat.link("Ada", LOBBY), { ...settings, before });
  await eventually(() => ada.people(), ["Ada"]);
  const grace = await Chat.open(browser, "Grace", Chat.link("Grace", LOBBY), { ...settings, before });
  await eventually(() => ada.people(), ["Ada", "Grace"]);
  const say = async (from, words, minute) => {
    for (const page of [ada, grace]) await page.page.clock.setFixedTime(at(minute));
    await from.say(words);
    for (const page of [ada, grace]) await page.shows(words);
  };
  await say(ada, "Morning! The chat is up.", 24);
  await say(grace, "I opened your link and was in.", 25);
  await announce("New version at 11:00.");
  for (const page of [ada, grace]) await eventually(async () => (await page.lines("announced")).length, 1);
  await say(ada, "The page will come back by itself.", 26);
  const alan = await rawClient("Alan", LOBBY);
  alan.send({ type: "typing", on: true });
  for (const page of [ada, grace]) {
    await eventually(() => page.typing(), "Alan is typing…");
    await page.get("text").blur();
  }

  const windows = [];
  for (const page of [ada, grace]) {
    const image = (await page.page.screenshot({ animations: "disabled", caret: "hide" })).toString("base64");
    windows.push(`<figure><figcaption><i></i><i></i><i></i><span>127.0.0.1:3000/?name=${page.label}&amp;room=${LOBBY}</span></figcaption><img src="data:image/png;base64,${image}"></figure>`);
  }
  const frame = await browser.newContext({ viewport: { width: 1000, height: 640 }, deviceScaleFactor: 2 });
  const page = await frame.newPage();
  await page.setContent(`<style>
    body { margin: 0; height: 640px; display: flex; gap: 24px; align-items: center; justify-content: center; background: linear-gradient(150deg, #f0d9c8, #d9a98c); font: 12px Inter, system-ui, sans-serif; }
    figure { margin: 0; width: 464px; border-radius: 12px; overflow: hidden; background: #fff; box-shadow: 0 18px 40px -12px #3b241280, 0 0 0 1px #3b24121a; }
    figcaption { display: flex; gap: 6px; align-items: center; height: 36px; padding: 0 12px; background: #ece5de; }
    figcaption i { width: 10px; height: 10px; border-radius: 50%; background: #c9bdb2; }
    figcaption span { margin: 0 34px 0 10px; flex: 1; padding: 4px 12px; border-radius: 8px; background: #fff; color: #6b6058; text-align: center; }
    img { display: block; width: 464px; height: 564px; }
  </style>${windows.join("")}`);
  await page.screenshot({ path });
  alan.socket.close(1000);
  for (const context of [ada, grace, frame]) await context.close();
  console.log(`# wrote ${path}`);
}

// ---- Run ------------------------------------------------------------------------

await run(async (browser) => {
  await chat(browser);
  await reconnecting(browser);
  await layout(browser);
  if (options.screenshot) await screenshot(browser, options.screenshot);
});
