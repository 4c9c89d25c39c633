/** The default of `Options.shouldReconnect`: whether another try may succeed. */
export function shouldReconnect(close«: Close»)«: boolean» {
  // The server is done, this client's messages are at fault, or it may not come in.
  const last = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003];
  return close.retry !== undefined || !last.includes(close.code);
}

const defaults«: Options» = {};

/** Sets the defaults of all sockets that are opened from now on. */
export function configure(options«: Options»)«: void» {
  Object.assign(defaults, options);
}

«interface Timers {
  setTimeout(run: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
}

interface Environment extends Timers {
  readonly WebSocket?: WebSocketConstructor;
  readonly location?: { readonly origin?: string };
}

»const environment = globalThis« as unknown as Environment»;

class Listeners«<T>» {
  «readonly »all = new Set«<(value: T) => void>»();

  add(listener«: (value: T) => void»)«: () => void» {
    // Each addition is its own, although the function may be the same.
    const own = (value«: T») => listener(value);
    this.all.add(own);
    return () => void this.all.delete(own);
  }

  call(value«: T»)«: void» {
    for (const listener of [...this.all]) {
      try {
        listener(value);
      } catch (error) {
        // Reported as an uncaught error, without stopping the other listeners.
        environment.setTimeout(() => {
          throw error;
        }, 0);
      }
    }
  }
}

/** Returns the options that are set: an explicit `undefined` keeps the default. */
function chosen(options«: Options<unknown>»)«: Options<unknown>» {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function constructorOf(given«: WebSocketConstructor | undefined»)«: WebSocketConstructor» {
  const found = given ?? environment.WebSocket;
  if (!found) throw new TypeError("there is no global WebSocket: set `WebSocket`");
  return found;
}

/** Returns the server's address for WebSockets, without a slash at its end. */
function serverOf(base«: string | undefined»)«: string» {
  if (!base) throw new TypeError("there is no page whose server this could be: set `base`");
  const found = /^(?:http|ws)(s?):\/\/([^?#]+)/i.exec(base);
  if (!found) throw new TypeError(`not an address with http, https, ws or wss: ${base}`);
  return `ws${found[1]}://${String(found[2]).replace(/\/+$/, "")}`;
}

function sizeOf(data«: any»)«: number» {
  return typeof data === "string" ? data.length : data.byteLength;
}

function openSocket«<Send, Receive>»(
  path«: string»,
  offered«: readonly string[]»,
  writesJson«: boolean»,
  readsJson«: boolean»,
  given«: Options<unknown>» = {},
)«: Socket<Send, Receive>» {
  const options = {
    tokenParameter: "token",
    protocols: offered,
    reconnect: true,
    shouldReconnect,
    minDelay: 500,
    maxDelay: 30_000,
    maxHint: 300_000,
    openTimeout: 10_000,
    maxQueue: 64,
    maxQueueSize: 1 << 20,
    ...chosen(defaults),
    ...chosen(given),
  };
  const Constructor = constructorOf(options.WebSocket);
  const server = serverOf(options.base ?? environment.location?.origin);
  const messages = new Listeners«<Receive>»();
  const statuses = new Listeners«<Status>»();
  const closes = new Listeners«<Close>»();
  const errors = new Listeners«<Error>»();
  let status«: Status» = "closed";
  let current«: WebSocketLike | undefined»;
  let timer«: unknown»;
  let attempts = 0;
  // Events of an earlier try are ignored.
  let latest = 0;
  let queue«: any[]» = [];
  let queued = 0;

  function change(to«: Status»)«: void» {
    if (status === to) return;
    status = to;
    statuses.call(to);
  }

  function fail(error«: unknown»)«: void» {
    errors.call(error instanceof Error ? error : new Error(String(error)));
  }

  async function address()«: Promise<string>» {
    const pairs«: string[]» = [];
    const add = (key«: string», value«: unknown») => {
      if (value !== undefined && value !== null) pairs.push(`${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`);
    };
    for (const [key, value] of Object.entries(options.query ?? {})) {
      for (const one of [value].flat()) add(key, one);
    }
    add(options.tokenParameter, await options.token?.());
    return `${server}${path}${pairs.length ? `?${pairs.join("&")}` : ""}`;
  }

  async function connect()«: Promise<void>» {
    const own = ++latest;
    attempts++;
    change("connecting");
    if (own !== latest) return; // a listener has closed the socket
    let socket«: WebSocketLike»;
    let deadline«: unknown»;
    let openedAt«: number | undefined»;
    const ended = (code«: number», reason«: string», clean«: boolean») => {
      environment.clearTimeout(deadline);
      if (own !== latest) return;
      latest++;
      current = undefined;
      if (openedAt !== undefined && Date.now() - openedAt >= options.maxDelay) attempts = 1;
      const named = /; retry=(\d{1,9})$/.exec(reason);
      const retry = named ? Number(named[1]) : undefined;
      after({ code, reason, clean, retry, attempts });
    };
    try {
      const url = await address();
      if (own !== latest) return;
      const protocols = [...options.protocols];
      socket = protocols.length ? new Constructor(url, protocols) : new Constructor(url);
    } catch (error) {
      if (own !== latest) return;
      fail(error);
      return ended(1006, "", false);
    }
    current = socket;
    socket.binaryType = "arraybuffer";
    deadline = environment.setTimeout(() => {
      ended(1006, "the connection did not open in time", false);
      socket.close();
    }, options.openTimeout);
    socket.onopen = () => {
      environment.clearTimeout(deadline);
      // Closed meanwhile: the close frame is on its way.
      if (own !== latest || status === "closed") return;
      openedAt = Date.now();
      // Before any listener sends more.
      for (const data of queue) socket.send(data);
      forget();
      change("open");
    };
    socket.onmessage = (event) => {
      if (own !== latest || status !== "open") return;
      let message = event.data;
      if (readsJson) {
        try {
          if (typeof message !== "string") throw new TypeError("it is binary");
          message = JSON.parse(message);
        } catch (error) {
          return fail(new Error(`a message of the server is not JSON: ${error}`));
        }
      }
      messages.call(message);
    };
    socket.onclose = (event) => ended(event.code, event.reason, event.wasClean);
    // The close event follows, and says all that is known.
    socket.onerror = () => {};
  }

  function after(close«: Close»)«: void» {
    if (status === "closed") return closes.call(close);
    let again = false;
    try {
      again = options.reconnect && options.shouldReconnect(close);
    } catch (error) {
      fail(error);
    }
    if (!again) {
      forget();
      change("closed");
      return closes.call(close);
    }
    const bound = Math.min(options.maxDelay, options.minDelay * 2 ** Math.min(attempts - 1, 30));
    const random = Math.random() * bound;
    const hint = close.retry === undefined ? random : Math.min(close.retry, options.maxHint);
    // A server that always says "now" is believed once.
    timer = environment.setTimeout(connect, attempts > 1 ? Math.max(hint, random) : hint);
    change("connecting");
    closes.call(close);
  }

  function forget()«: void» {
    queue = [];
    queued = 0;
  }

  const socket«: Socket<Send, Receive>» = {
    get status() {
      return status;
    },
    get protocol() {
      return current?.protocol ?? "";
    },
    get bufferedAmount() {
      return queued + (current?.bufferedAmount ?? 0);
    },
    send(message) {
      const data = writesJson ? JSON.stringify(message) : message;
      if (data === undefined) throw new TypeError("the message has no JSON");
      if (status === "closed") return "dropped";
      if (status === "open" && current) {
        if (current.bufferedAmount > options.maxQueueSize) return "dropped";
        current.send(data);
        return "sent";
      }
      const size = sizeOf(data);
      if (queue.length >= options.maxQueue || queued + size > options.maxQueueSize) return "dropped";
      queue.push(data);
      queued += size;
      return "queued";
    },
    close(code = 1000, reason) {
      if (status === "closed") return;
      // Throws for a code that must not be sent, before anything has changed.
      if (current) current.close(code, reason);
      else latest++; // a try that waits for its token, or for its time
      environment.clearTimeout(timer);
      forget();
      change("closed");
    },
    open() {
      if (status !== "closed") return;
      attempts = 0;
      current = undefined;
      void connect();
    },
    onMessage: (listener) => messages.add(listener),
    onStatus: (listener) => statuses.add(listener),
    onClose: (listener) => closes.add(listener),
    onError: (listener) => errors.add(listener),
  };
  socket.open();
  return socket;
}

function readable«<T>»(initial«: () => T», listen«: (set: (value: T) => void) => () => void»)«: Readable<T>» {
  const subscribers = new Listeners«<T>»();
  let value«: T»;
  let stop«: (() => void) | undefined»;
  return {
    subscribe(run) {
      if (!stop) {
        value = initial();
        stop = listen((next) => {
          value = next;
          subscribers.call(next);
        });
      }
      const remove = subscribers.add(run);
      run(value);
      return () => {
        remove();
        if (subscribers.all.size) return;
        stop?.();
        stop = undefined;
      };
    },
  };
}

/** Returns a socket's status, last message and last error as stores, in the shape of Svelte's. */
export function stores«<Receive>»(socket«: Socket<any, Receive>»)«: Stores<Receive>» {
  return {
    status: readable(() => socket.status, (set) => socket.onStatus(set)),
    lastMessage: readable«<Receive | undefined>»(() => undefined, (set) => socket.onMessage(set)),
    error: readable«<Error | undefined>»(() => undefined, (set) => socket.onError(set)),
  };
}

/**
 * Returns a socket's status, last message and last error as signals. They are made with the given
 * function, such as `signal` of `@preact/signals`.
 */
export function signals«<Receive>»(
  socket«: Socket<any, Receive>»,
  signal«: <T>(value: T) => SignalLike<T>»,
)«: Signals<Receive>» {
  const status = signal«<Status>»(socket.status);
  const lastMessage = signal«<Receive | undefined>»(undefined);
  const error = signal«<Error | undefined>»(undefined);
  const stops = [
    socket.onStatus((value) => void (status.value = value)),
    socket.onMessage((value) => void (lastMessage.value = value)),
    socket.onError((value) => void (error.value = value)),
  ];
  return { status, lastMessage, error, dispose: () => stops.forEach((stop) => stop()) };
}
