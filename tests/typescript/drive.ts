// The founding app's generated client against the running app: compiled by `run.mjs`, which passes the
// address, a WebSocket and the assertions.

import {
  type Socket,
  type WebSocketConstructor,
  configure,
  connect,
  connectChat,
  connectFiles,
  connectMockWsChat,
  connectMockWsGame,
  connectMockWsPrivate,
  connectMockWsProtocols,
  connectRooms,
  connectSocketToolsTerminal,
  shouldReconnect,
  stores,
} from "./sockets.ts";

type Tools = {
  base: string;
  WebSocket: WebSocketConstructor;
  check(what: string, test: () => Promise<void>): Promise<void>;
  equal(actual: unknown, expected: unknown): void;
};

/** Returns the messages one by one. */
function reader<T>(socket: Socket<any, T>): () => Promise<T> {
  const messages: T[] = [];
  const waiting: ((message: T) => void)[] = [];
  socket.onMessage((message) => {
    const wait = waiting.shift();
    if (wait) wait(message);
    else messages.push(message);
  });
  return () =>
    new Promise((resolve) => {
      const message = messages.shift();
      if (message === undefined) waiting.push(resolve);
      else resolve(message);
    });
}

function parsed(data: string | ArrayBuffer): unknown {
  return typeof data === "string" ? JSON.parse(data) : data;
}

export async function drive({ base, WebSocket, check, equal }: Tools): Promise<void> {
  configure({ base, WebSocket });

  await check("what is sent at once waits for the connection", async () => {
    const root = connect();
    const next = reader(root);
    equal([root.status, root.send("hello"), root.send("health")], ["connecting", "queued", "queued"]);
    equal(await next(), "[root] Echo: hello");
    equal(parsed(await next()), { ok: true, via: "http" });
    equal([root.status, root.send("again")], ["open", "sent"]);
    equal(await next(), "[root] Echo: again");
    root.close();
    equal([root.status, root.send("late")], ["closed", "dropped"]);
  });

  await check("parameters and queries arrive as they are", async () => {
    for (const id of ["7", "ä/ö ?#%&", "日本", "a.b~c"]) {
      const room = connectRooms({ id }, { query: { q: ["1", "ü&="], none: undefined, nothing: null } });
      const { params, query } = parsed(await reader(room)()) as any;
      equal([params, query], [{ id }, { q: ["1", "ü&="] }]);
      room.close();
    }
    const files = connectFiles({ rest: "A/b c/%/ü" });
    equal(parsed(await reader(files)()), { params: { rest: "A/b c/%/ü" } });
    files.close();
  });

  await check("typed messages", async () => {
    const [ann, bob] = ["ann", "bob"].map((username) => connectMockWsChat({ query: { username } }));
    const [atAnn, atBob] = [reader(ann!), reader(bob!)];
    for (const next of [atAnn, atBob]) {
      let message = await next();
      // Who comes second is announced to the first.
      while (message.type !== "connected") message = await next();
      equal(message.id.length, 36);
    }
    equal(bob!.send({ type: "chat", text: "</script>*/" }), "sent");
    for (const next of [atAnn, atBob]) {
      let message = await next();
      while (message.type !== "chat-message") message = await next();
      equal([message.from, message.text], ["bob", "</script>*/"]);
    }
    bob!.close();
    const left = await atAnn();
    equal(left, { type: "user-left", username: "bob" });
    ann!.close();
  });

  await check("a game", async () => {
    const game = connectMockWsGame();
    const next = reader(game);
    equal(await next(), { type: "joined-lobby" });
    game.send({ type: "create-game" });
    const created = await next();
    equal(created.type, "game-created");
    game.send({ type: "game-action", action: { move: [1, 2] } });
    const update = await next();
    equal(update.type === "game-update" && update.action, { move: [1, 2] });
    game.close();
  });

  await check("a token in the query, asked for at each try", async () => {
    const tokens = ["bad", "good"];
    const socket = connectMockWsPrivate({ token: () => tokens.shift(), minDelay: 1 });
    const closes: number[] = [];
    socket.onClose(({ code }) => closes.push(code));
    equal(parsed(await reader(socket)()), { type: "authenticated" });
    equal(closes, [1006]);
    socket.close();
  });

  await check("the subprotocols of the route are offered", async () => {
    const socket = connectMockWsProtocols();
    equal(parsed(await reader(socket)()), { protocol: "chat.v2" });
    equal(socket.protocol, "chat.v2");
    socket.close();
    const other = connectMockWsProtocols({ protocols: ["chat.v1"] });
    equal(parsed(await reader(other)()), { protocol: "chat.v1" });
    other.close();
  });

  await check("a normal close of the server is the end, and its stores say so", async () => {
    const terminal = connectSocketToolsTerminal();
    const seen: string[] = [];
    const closed = new Promise<void>((resolve) => {
      stores(terminal).status.subscribe((status) => {
        seen.push(status);
        if (status === "closed") resolve();
      });
    });
    const next = reader(terminal);
    terminal.send({ type: "data", data: [1, { a: null }] });
    equal(await next(), { type: "data", data: [1, { a: null }] });
    terminal.send({ type: "exit" });
    await closed;
    equal(seen, ["connecting", "open", "closed"]);
  });

  await check("a route that is not there is tried until the app says so", async () => {
    const seen: number[] = [];
    const socket = connectChat({
      base: `${base}/elsewhere`,
      minDelay: 1,
      shouldReconnect: (close) => shouldReconnect(close) && close.attempts < 3,
    });
    await new Promise<void>((resolve) => {
      socket.onClose(({ attempts }) => {
        seen.push(attempts);
        if (socket.status === "closed") resolve();
      });
    });
    equal(seen, [1, 2, 3]);
  });
}
