/** Why a call has no result. A method of the client throws one to answer with its code and text. */
export class CallError extends Error {
«  readonly kind: CallErrorKind;
  readonly code: number;
  readonly data: unknown;

»  constructor(message«: string», code = 0, data«?: unknown», kind«: CallErrorKind» = "failed") {
    super(message);
    this.name = "CallError";
    this.kind = kind;
    this.code = code;
    this.data = data;
  }
}

/** The most calls of the server that are answered at a time. */
const MAX_RUNNING = 100;

function openCalls«<
  Send,
  Receive,
  Calls extends Methods,
  Events extends { [name: string]: unknown },
  Asked extends Methods,
  Heard extends { [name: string]: unknown },
>»(
  path«: string»,
  offered«: readonly string[]»,
  rpc«: boolean»,
  options«?: Options<unknown>»,
)«: CallSocket<Send, Receive, Calls, Events, Asked, Heard>» {
  const socket = openSocket«<any, any>»(path, offered, true, true, options);
  const messages = new Listeners«<Receive>»();
  const heard = new Map«<string, Listeners<any>>»();
  const handlers = new Map«<string, (args: any) => unknown>»();
  const pending = new Map«<number, (answer: any) => void>»();
  let last = 0;
  let running = 0;
  // An answer belongs to the connection of its call.
  let connection = 0;

  function event(name«: string», payload«: unknown») {
    return rpc ? { jsonrpc: "2.0", method: name, ...params(payload) } : { event: name, payload: payload ?? null };
  }

  function params(value«: unknown») {
    if (value === undefined || value === null) return {};
    return { params: typeof value === "object" ? value : [value] };
  }

  function failed(kind«: CallErrorKind», message«: string») {
    return { failure: new CallError(message, 0, undefined, kind) };
  }

  /** Reports an error of the app's as uncaught, and returns the answer, which has no details. */
  function unexpected(error«: unknown») {
    environment.setTimeout(() => {
      throw error;
    }, 0);
    return { error: { code: -32603, message: "the method failed" } };
  }

  async function reply(id«: unknown», method«: string», args«: unknown»)«: Promise<void>» {
    const own = connection;
    const handler = handlers.get(method);
    let answer«: object»;
    if (!handler) {
      answer = { error: { code: -32601, message: "there is no such method" } };
    } else if (running >= MAX_RUNNING) {
      answer = { error: { code: -32000, message: "too many calls are running" } };
    } else {
      running++;
      try {
        const result = (await handler(args)) ?? null;
        // A function or a symbol, with which the answer would have no result.
        if (JSON.stringify(result) === undefined) throw new TypeError("the result has no JSON");
        answer = { result };
      } catch (error) {
        if (error instanceof CallError) {
          answer = { error: { code: error.code, message: error.message, data: error.data } };
        } else {
          answer = unexpected(error);
        }
      } finally {
        running--;
      }
    }
    if (own !== connection) return;
    const send = (answer«: object») => socket.send(rpc ? { jsonrpc: "2.0", id, ...answer } : { id, ...answer });
    try {
      send(answer);
    } catch (error) {
      // The data of an error has no JSON: a `bigint`, or an object that contains itself.
      send(unexpected(error));
    }
  }

  socket.onMessage((message) => {
    const parts = typeof message === "object" && message !== null ? message : {};
    const { id } = parts;
    const isEvent = rpc ? typeof parts.method === "string" && id === undefined : typeof parts.event === "string";
    if (isEvent) return heard.get(rpc ? parts.method : parts.event)?.call(rpc ? parts.params : parts.payload);
    const method = rpc ? parts.method : parts.call;
    if (typeof method === "string") return void reply(id, method, rpc ? parts.params : parts.args);
    const answer = "result" in parts || "error" in parts ? pending.get(id) : undefined;
    if (answer) return answer(parts);
    // The withdrawal of a call by the server, which ignores the answer.
    if (!rpc && parts.cancel !== undefined) return;
    messages.call(message);
  });
  socket.onStatus((status) => {
    if (status === "open") return;
    connection++;
    for (const answer of [...pending.values()]) answer(failed("closed", "the connection ended before the answer"));
  });

  // The getters stay those of the socket.
  return Object.setPrototypeOf(
    {
      onMessage: (listener«: (message: Receive) => void») => messages.add(listener),
      call: (method«: string», args«: unknown», { timeout = 30_000, signal }«: CallOptions» = {}) =>
        new Promise((resolve, reject) => {
          const id = ++last;
          const call = rpc
            ? { jsonrpc: "2.0", method, ...params(args), id }
            : { call: method, id, args: args ?? null };
          if (signal?.aborted) return reject(failed("aborted", `the call ${method} was withdrawn`).failure);
          if (socket.send(call) === "dropped") {
            return reject(failed("dropped", `the call ${method} was not sent`).failure);
          }
          const withdraw = (kind«: CallErrorKind», message«: string») => {
            pending.get(id)?.(failed(kind, message));
            socket.send(rpc ? event("$/cancelRequest", { id }) : { cancel: id });
          };
          const abort = () => withdraw("aborted", `the call ${method} was withdrawn`);
          const timer = environment.setTimeout(
            () => withdraw("timeout", `the call ${method} was not answered in ${timeout} ms`),
            timeout,
          );
          signal?.addEventListener("abort", abort);
          pending.set(id, ({ result, error, failure }) => {
            pending.delete(id);
            environment.clearTimeout(timer);
            signal?.removeEventListener("abort", abort);
            if (failure) return reject(failure);
            if (error === undefined) return resolve(result);
            reject(new CallError(String(error?.message), Number(error?.code), error?.data));
          });
        }),
      emit: (name«: string», payload«: unknown») => socket.send(event(name, payload)),
      onEvent(name«: string», listener«: (payload: any) => void») {
        const listeners = heard.get(name) ?? new Listeners«<any>»();
        heard.set(name, listeners);
        return listeners.add(listener);
      },
      answer(method«: string», handler«: (args: any) => unknown») {
        handlers.set(method, handler);
        return () => {
          if (handlers.get(method) === handler) handlers.delete(method);
        };
      },
    },
    socket,
  );
}
