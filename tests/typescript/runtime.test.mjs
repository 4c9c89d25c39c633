// The generated client on a WebSocket that the tests script, in time that the tests move.
//
//   CLIENT=FOLDER node --test tests/typescript/runtime.test.mjs
//
// The folder has the compiled golden clients: types.mjs, names.mjs, calls.mjs.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { pathToFileURL } from "node:url";

const load = (name) => import(new URL(`${name}.mjs`, pathToFileURL(`${process.env.CLIENT}/`)));
const { connectEnums, connectEverything, configure, shouldReconnect, signals, stores } = await load("types");
const { connectFiles, connectABCDImgPng, connectGröße, connectProto, connectRooms, connectStatus } = await load("names");
const { CallError, connectPlain, connectRpc } = await load("calls");

class Fake {
  static all = [];
  static get last() {
    return Fake.all.at(-1);
  }
  bufferedAmount = 0;
  protocol = "";
  sent = [];
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    Fake.all.push(this);
  }
  send(data) {
    this.sent.push(data);
  }
  close(code, reason) {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code < 5000)) throw new RangeError("code");
    this.closed = { code, reason };
  }
  opens() {
    this.onopen({});
  }
  gets(data) {
    this.onmessage({ data: typeof data === "string" ? data : JSON.stringify(data) });
  }
  ends(code = 1006, reason = "", wasClean = false) {
    this.onclose({ code, reason, wasClean });
  }
}

const options = { base: "https://example.com/app/?x#y", WebSocket: Fake };
// A try begins after its token, for which promises are awaited.
const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await null;
};
const later = async (milliseconds) => {
  mock.timers.tick(milliseconds);
  await settled();
};

beforeEach(() => {
  Fake.all = [];
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 0.5);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("paths and queries are encoded", async () => {
  connectRooms({ id: "a b/ü?#%" }, { ...options, query: { q: "1&2", list: ["a", "b"], none: undefined, nothing: null } });
  connectFiles({ rest: "A/b c/ü%2F" }, options);
  connectABCDImgPng({ "img-id": 7 }, options);
  connectGröße({ größe: 12n }, options);
  connectProto({ ["__proto__"]: "p", constructor: "c" }, options);
  await settled();
  assert.deepEqual(Fake.all.map(({ url }) => url), [
    "wss://example.com/app/rooms/a%20b%2F%C3%BC%3F%23%25?q=1%262&list=a&list=b",
    "wss://example.com/app/files/A/b%20c/%C3%BC%252F",
    "wss://example.com/app/a-b.c~d/img-7.png",
    "wss://example.com/app/gr%C3%B6%C3%9Fe/12",
    "wss://example.com/app/__proto__/p/c",
  ]);
});

test("parameters that a URL cannot carry are refused at once", () => {
  for (const id of ["", ".", "..", undefined, null, {}]) assert.throws(() => connectRooms({ id }, options));
  for (const rest of ["", "a/../b", "."]) assert.throws(() => connectFiles({ rest }, options));
  assert.throws(() => connectProto({ constructor: "c" }, options), /__proto__/);
  assert.throws(() => connectEverything({ WebSocket: Fake }), /base/);
  assert.throws(() => connectEverything({ WebSocket: Fake, base: "ftp://x" }), /http/);
  assert.throws(() => connectEverything({ base: "http://x", WebSocket: undefined }), /WebSocket/);
});

test("the route's protocols are offered, and others if they are named", async () => {
  connectStatus(options);
  connectStatus({ ...options, protocols: ["v9"] });
  connectEverything(options);
  await settled();
  assert.deepEqual(Fake.all.map(({ protocols }) => protocols), [["v2", "a'b`$"], ["v9"], undefined]);
});

test("a token is asked for before each try", async () => {
  const tokens = ["one", "two"];
  connectEverything({ ...options, token: async () => tokens.shift(), tokenParameter: "t" });
  await settled();
  assert.match(Fake.last.url, /\?t=one$/);
  Fake.last.ends();
  await later(250);
  assert.match(Fake.last.url, /\?t=two$/);
});

test("a token that cannot be had is an error and one more try", async () => {
  const errors = [];
  const socket = connectEverything({
    ...options,
    token: () => {
      throw new Error("no token");
    },
  });
  socket.onError((error) => errors.push(error.message));
  await settled();
  assert.deepEqual([errors, socket.status, Fake.all.length], [["no token"], "connecting", 0]);
  await later(250);
  assert.equal(errors.length, 2);
});

test("messages wait for the connection, in order and within bounds", async () => {
  const socket = connectEverything({ ...options, maxQueue: 2, maxQueueSize: 20 });
  assert.equal(socket.send("a".repeat(30)), "dropped");
  assert.equal(socket.send(1), "queued");
  assert.equal(socket.send(2), "queued");
  assert.equal(socket.send(3), "dropped");
  assert.equal(socket.bufferedAmount, 2);
  await settled();
  socket.onStatus((status) => status === "open" && socket.send("after"));
  Fake.last.opens();
  assert.deepEqual(Fake.last.sent, ["1", "2", '"after"']);
  assert.equal(socket.send({ a: 1 }), "sent");
  Fake.last.bufferedAmount = 21;
  assert.equal(socket.send(4), "dropped");
  assert.throws(() => socket.send(undefined), TypeError);
});

test("waits double up to their bound, with full jitter, until a connection lasts", async () => {
  const socket = connectEverything({ ...options, minDelay: 100, maxDelay: 400 });
  await settled();
  const waits = [];
  const ends = async () => {
    const before = Fake.all.length;
    Fake.last.ends();
    for (let waited = 0; ; waited += 25) {
      if (Fake.all.length > before) return waits.push(waited);
      await later(25);
    }
  };
  for (let failed = 0; failed < 4; failed++) await ends();
  assert.deepEqual(waits, [50, 100, 200, 200]);
  // Opened and ended at once: still no reason to hurry.
  Fake.last.opens();
  await ends();
  assert.equal(waits.at(-1), 200);
  Fake.last.opens();
  await later(399);
  await ends();
  assert.equal(waits.at(-1), 200);
  Fake.last.opens();
  await later(400);
  await ends();
  assert.equal(waits.at(-1), 50);
  assert.equal(socket.status, "connecting");
});

test("the server's hint is the wait, within the bound", async () => {
  const socket = connectEverything(options);
  const closes = [];
  socket.onClose((close) => closes.push(close.retry));
  await settled();
  Fake.last.opens();
  Fake.last.ends(1012, "restarting; retry=740", true);
  await later(739);
  assert.equal(Fake.all.length, 1);
  await later(1);
  assert.equal(Fake.all.length, 2);
  Fake.last.ends(1012, "; retry=999999999", true);
  await later(299_999);
  assert.equal(Fake.all.length, 2);
  await later(1);
  assert.equal(Fake.all.length, 3);
  assert.deepEqual(closes, [740, 999999999]);
});

test("a server that always says now is believed once", async () => {
  connectEverything(options);
  await settled();
  Fake.last.opens();
  Fake.last.ends(1012, "; retry=0", true);
  await later(0);
  assert.equal(Fake.all.length, 2);
  Fake.last.ends(1012, "; retry=0", true);
  await later(499);
  assert.equal(Fake.all.length, 2);
  await later(1);
  assert.equal(Fake.all.length, 3);
});

test("a close that another try cannot mend is the end, until the socket is opened again", async () => {
  const socket = connectEverything(options);
  const statuses = [];
  socket.onStatus((status) => statuses.push(status));
  await settled();
  Fake.last.opens();
  Fake.last.ends(1008, "policy", true);
  assert.equal(socket.send(1), "dropped");
  await later(60_000);
  assert.equal(Fake.all.length, 1);
  socket.open();
  await settled();
  Fake.last.opens();
  assert.deepEqual(statuses, ["open", "closed", "connecting", "open"]);
});

// As `only_what_may_pass_is_tried_again` of the Rust client.
test("by default a socket opens again unless the code says that this is pointless", () => {
  const wants = (code, retry) => shouldReconnect({ code, reason: "", clean: true, retry, attempts: 1 });
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4401]) assert.ok(wants(code), code);
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]) {
    assert.ok(!wants(code), code);
    assert.ok(wants(code, 0), `${code}, with a time to come back`);
  }
});

test("the app decides whether to try again", async () => {
  const seen = [];
  const socket = connectEverything({
    ...options,
    shouldReconnect: (close) => (seen.push(close), close.attempts < 2),
  });
  await settled();
  Fake.last.ends(4000, "x");
  await later(250);
  Fake.last.ends();
  assert.equal(socket.status, "closed");
  assert.deepEqual(seen.map(({ code, attempts }) => [code, attempts]), [[4000, 1], [1006, 2]]);
});

test("a try that does not open in time ends", async () => {
  const socket = connectEverything({ ...options, openTimeout: 1_000 });
  await settled();
  const first = Fake.last;
  await later(1_000);
  assert.ok(first.closed);
  await later(250);
  assert.equal(Fake.all.length, 2);
  // The late events of the first try change nothing.
  first.opens();
  first.gets({});
  first.ends();
  assert.equal(socket.status, "connecting");
  await later(500);
  assert.equal(Fake.all.length, 2);
});

test("close ends tries, waits and messages", async () => {
  const socket = connectEverything(options);
  const [messages, closes] = [[], []];
  socket.onMessage((message) => messages.push(message));
  socket.onClose(({ code }) => closes.push(code));
  await settled();
  Fake.last.opens();
  assert.throws(() => socket.close(1006));
  assert.equal(socket.status, "open");
  socket.close(3000, "bye");
  assert.deepEqual(Fake.last.closed, { code: 3000, reason: "bye" });
  Fake.last.gets({ late: true });
  Fake.last.ends(3000, "bye", true);
  assert.deepEqual([messages, closes, socket.status], [[], [3000], "closed"]);
  socket.open();
  socket.close(); // before its token
  await later(60_000);
  assert.equal(Fake.all.length, 1);
});

test("a message that is not JSON is an error, and the next one arrives", async () => {
  const socket = connectEnums({ id: 1 }, options);
  const [messages, errors] = [[], []];
  socket.onMessage((message) => messages.push(message));
  socket.onError((error) => errors.push(error.message));
  await settled();
  Fake.last.opens();
  Fake.last.onmessage({ data: new ArrayBuffer(1) });
  Fake.last.gets("{");
  Fake.last.gets('"Unit"');
  assert.equal(errors.length, 2);
  assert.match(errors[1], /not JSON/);
  assert.deepEqual(messages, ["Unit"]);
});

test("a listener that throws stops no other", async () => {
  const socket = connectEverything(options);
  const messages = [];
  socket.onMessage(() => {
    throw new Error("mine");
  });
  const remove = socket.onMessage((message) => messages.push(message));
  await settled();
  Fake.last.opens();
  Fake.last.gets(1);
  remove();
  Fake.last.gets(2);
  assert.deepEqual(messages, [1]);
  assert.throws(() => mock.timers.tick(0), /mine/);
});

test("stores have the value at once and listen while they have subscribers", async () => {
  const socket = connectEverything(options);
  const { status, lastMessage, error } = stores(socket);
  const [seen, messages] = [[], []];
  const stop = status.subscribe((value) => seen.push(value));
  const stopMessages = lastMessage.subscribe((value) => messages.push(value));
  error.subscribe(() => {});
  await settled();
  Fake.last.opens();
  Fake.last.gets(5);
  assert.deepEqual([seen, messages], [["connecting", "open"], [undefined, 5]]);
  stop();
  stopMessages();
  Fake.last.ends();
  assert.deepEqual(seen, ["connecting", "open"]);
  status.subscribe((value) => seen.push(value));
  assert.equal(seen.at(-1), "connecting");
});

test("signals follow the socket until they are disposed of", async () => {
  const socket = connectEverything(options);
  const all = signals(socket, (value) => ({ value }));
  await settled();
  Fake.last.opens();
  Fake.last.gets(5);
  Fake.last.gets("{");
  assert.deepEqual([all.status.value, all.lastMessage.value], ["open", 5]);
  assert.match(all.error.value.message, /not JSON/);
  all.dispose();
  Fake.last.ends();
  assert.equal(all.status.value, "open");
});

test("configure sets the defaults, and undefined keeps them", async () => {
  configure({ base: "http://configured:1", WebSocket: Fake, minDelay: 4 });
  connectEverything({ minDelay: undefined });
  await settled();
  assert.equal(Fake.last.url, "ws://configured:1/everything");
  Fake.last.ends();
  await later(2);
  assert.equal(Fake.all.length, 2);
  configure({ base: undefined, WebSocket: undefined, minDelay: undefined });
});

for (const [form, connect, wire] of [
  ["plain", connectPlain, {
    call: (method, args, id) => ({ call: method, id, args }),
    event: (name, payload) => ({ event: name, payload }),
    answer: (id, rest) => ({ id, ...rest }),
    cancel: (id) => ({ cancel: id }),
    one: (value) => value,
  }],
  ["JSON-RPC", connectRpc, {
    call: (method, params, id) => ({ jsonrpc: "2.0", method, params, id }),
    event: (method, params) => ({ jsonrpc: "2.0", method, params }),
    answer: (id, rest) => ({ jsonrpc: "2.0", id, ...rest }),
    cancel: (id) => ({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id } }),
    one: (value) => [value],
  }],
]) {
  const sent = () => Fake.last.sent.map((text) => JSON.parse(text));
  const opened = async () => {
    const socket = connect(options);
    await settled();
    Fake.last.opens();
    return socket;
  };

  test(`${form}: calls have results, errors, and a time`, async () => {
    const socket = await opened();
    const sum = socket.call("add", [1, 2]);
    const failed = socket.call("say", { text: "x" });
    const late = socket.call("add", [0, 0], { timeout: 100 });
    assert.deepEqual(sent(), [
      wire.call("add", [1, 2], 1),
      wire.call("say", { text: "x" }, 2),
      wire.call("add", [0, 0], 3),
    ]);
    Fake.last.gets(wire.answer(2, { error: { code: 7, message: "no", data: [1] } }));
    Fake.last.gets(wire.answer(1, { result: 3 }));
    assert.equal(await sum, 3);
    await assert.rejects(failed, { name: "CallError", kind: "failed", code: 7, message: "no", data: [1] });
    mock.timers.tick(100);
    await assert.rejects(late, { kind: "timeout" });
    assert.deepEqual(sent().at(-1), wire.cancel(3));
  });

  test(`${form}: calls end with their connection, and wait for the next`, async () => {
    const socket = await opened();
    const lost = socket.call("add", [1, 2]);
    Fake.last.ends();
    await assert.rejects(lost, { kind: "closed" });
    const next = socket.call("add", [3, 4]);
    await later(250);
    Fake.last.opens();
    Fake.last.gets(wire.answer(2, { result: 7 }));
    assert.equal(await next, 7);
    socket.close();
    await assert.rejects(socket.call("add", [5, 6]), { kind: "dropped" });
  });

  test(`${form}: a signal withdraws a call`, async () => {
    const socket = await opened();
    const controller = new AbortController();
    const call = socket.call("add", [1, 2], { signal: controller.signal });
    controller.abort();
    await assert.rejects(call, { kind: "aborted" });
    assert.deepEqual(sent().at(-1), wire.cancel(1));
    await assert.rejects(socket.call("add", [1, 2], { signal: controller.signal }), { kind: "aborted" });
  });

  test(`${form}: events go both ways, and other messages are messages`, async () => {
    const socket = await opened();
    const [events, messages] = [[], []];
    const stop = socket.onEvent("said", (payload) => events.push(payload));
    socket.onMessage((message) => messages.push(message));
    Fake.last.gets(wire.event("said", { text: "a" }));
    Fake.last.gets(wire.event("unheard", {}));
    Fake.last.gets({ text: "b" });
    stop();
    Fake.last.gets(wire.event("said", { text: "c" }));
    assert.deepEqual([events, messages], [[{ text: "a" }], [{ text: "b" }]]);
    assert.equal(socket.emit("typing", "ann"), "sent");
    assert.deepEqual(sent(), [wire.event("typing", wire.one("ann"))]);
    assert.equal(socket.status, "open");
  });

  test(`${form}: the client answers calls of the server`, async () => {
    const socket = await opened();
    socket.answer("confirm", async (args) => {
      if (args === "fail" || args[0] === "fail") throw new CallError("not this", 9);
      return true;
    });
    Fake.last.gets(wire.call("confirm", wire.one("ok?"), 1));
    Fake.last.gets(wire.call("confirm", wire.one("fail"), 2));
    Fake.last.gets(wire.call("unknown", wire.one("x"), 3));
    await settled();
    const answers = sent().sort((one, other) => one.id - other.id);
    assert.deepEqual(answers, [
      wire.answer(1, { result: true }),
      wire.answer(2, { error: { code: 9, message: "not this" } }),
      wire.answer(3, { error: { code: -32601, message: "there is no such method" } }),
    ]);
    // An answer that comes too late is not for the next connection, which counts anew.
    let finish;
    socket.answer("confirm", () => new Promise((resolve) => (finish = resolve)));
    Fake.last.gets(wire.call("confirm", wire.one("slow"), 4));
    Fake.last.ends();
    await later(250);
    Fake.last.opens();
    finish(true);
    await settled();
    assert.deepEqual(sent(), []);
  });

  test(`${form}: an answer that has no JSON is a failure of its method`, async () => {
    const socket = await opened();
    const fails = () => {
      throw new CallError("no", 1, 1n);
    };
    for (const [id, method] of [[1, () => 1n], [2, fails], [3, () => () => {}]]) {
      socket.answer("confirm", method);
      Fake.last.gets(wire.call("confirm", wire.one("odd"), id));
      await settled();
      assert.deepEqual(sent().at(-1), wire.answer(id, { error: { code: -32603, message: "the method failed" } }));
    }
    // Reported as uncaught errors.
    assert.throws(() => mock.timers.tick(1), /BigInt/);
  });
}
