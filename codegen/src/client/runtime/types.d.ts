/**
 * The state of a socket: `connecting` also while it waits for the next try after a lost connection,
 * `closed` if no further try follows.
 */
export type Status = "connecting" | "open" | "closed";

/**
 * What became of a message: handed to the connection, waiting for it to open, or discarded, because the
 * socket is closed or too much waits already.
 */
export type Sent = "sent" | "queued" | "dropped";

/** The messages of a route whose types the server does not name. */
export type Data = string | ArrayBuffer;

/** The JSON with which a server that reports errors answers a message. */
export interface ErrorMessage {
  type: "error";
  message: string;
}

/** How a connection, or a try, ended. */
export interface Close {
  /** The close code; 1006 without a close frame. */
  readonly code: number;
  readonly reason: string;
  /** Whether both close frames were exchanged. */
  readonly clean: boolean;
  /** Milliseconds after which the server wants this client back, if it says so. */
  readonly retry: number | undefined;
  /** How many tries in a row have not led to a lasting connection, this one included. */
  readonly attempts: number;
}

export type QueryValue = string | number | bigint | boolean;

/** A part of a path. It must not be empty. */
export type PathValue = string | number | bigint;

/** The settings of a socket. `configure` changes the defaults. */
export interface Options<Query = { readonly [key: string]: QueryValue | readonly QueryValue[] | null | undefined }> {
  /**
   * The server: an address with the scheme `http`, `https`, `ws` or `wss`, whose path comes before the
   * route's. Default: the origin of the page.
   */
  base?: string;
  /** The query of the URL. A list repeats its key; `null` and `undefined` leave it out. */
  query?: Query;
  /**
   * Returns the token for the next try, which the URL's query carries, or `undefined` for none. It is
   * called before each try, so that a token that has ended is replaced.
   */
  token?: () => string | undefined | Promise<string | undefined>;
  /** The key of the token in the query. Default `token`. */
  tokenParameter?: string;
  /** The subprotocols that are offered. Default: all of the route's. */
  protocols?: readonly string[];
  /** Whether a lost connection is opened again. Default `true`. */
  reconnect?: boolean;
  /** Decides after each lost connection or failed try. Default: `shouldReconnect`. */
  shouldReconnect?: (close: Close) => boolean;
  /**
   * The bound of the first wait in milliseconds, which doubles with each try that fails. The wait is
   * random between 0 and the bound. Default 500.
   */
  minDelay?: number;
  /**
   * The largest bound of a wait in milliseconds. A connection that lasts this long begins the waits anew.
   * Default 30000.
   */
  maxDelay?: number;
  /** The longest wait in milliseconds that the server can ask for. Default 300000. */
  maxHint?: number;
  /** Milliseconds for a try to open. Default 10000. */
  openTimeout?: number;
  /** How many messages may wait for the connection to open. Default 64. */
  maxQueue?: number;
  /**
   * How much may wait, in bytes of binary messages and UTF-16 units of text, before the connection is
   * open as well as in it. Default 1048576.
   */
  maxQueueSize?: number;
  /** The WebSocket to use. Default: the global one. */
  WebSocket?: WebSocketConstructor;
}

/** A connection to one route, which opens again when it is lost. */
export interface Socket<Send, Receive> {
  readonly status: Status;
  /** The subprotocol that the server has chosen, or an empty text. */
  readonly protocol: string;
  /** What waits to be sent, measured as `maxQueueSize`. */
  readonly bufferedAmount: number;
  /**
   * Sends a message. What was sent when a connection is lost may not have arrived, and is not sent again.
   */
  send(message: Send): Sent;
  /**
   * Closes the socket, and discards what waits. The code is 1000, or 3000 to 4999.
   */
  close(code?: number, reason?: string): void;
  /** Opens a closed socket again. Does nothing otherwise. */
  open(): void;
  /** Calls the listener with each message. Returns a function that removes it, as all of these do. */
  onMessage(listener: (message: Receive) => void): () => void;
  onStatus(listener: (status: Status) => void): () => void;
  /** Calls the listener after each lost connection and each failed try. */
  onClose(listener: (close: Close) => void): () => void;
  /** Calls the listener with failures that end no connection, such as a message that is not JSON. */
  onError(listener: (error: Error) => void): () => void;
}

/** A store as Svelte's: the listener gets the value at once, and each later one. */
export interface Readable<T> {
  subscribe(run: (value: T) => void): () => void;
}

/** A socket as stores. They listen to it only while they have subscribers. */
export interface Stores<Receive> {
  readonly status: Readable<Status>;
  readonly lastMessage: Readable<Receive | undefined>;
  readonly error: Readable<Error | undefined>;
}

/** A value as a signal's, such as those of `@preact/signals`. */
export interface SignalLike<T> {
  value: T;
}

/** A socket as signals. */
export interface Signals<Receive> {
  readonly status: SignalLike<Status>;
  readonly lastMessage: SignalLike<Receive | undefined>;
  readonly error: SignalLike<Error | undefined>;
  /** Stops the updates. */
  dispose(): void;
}

/** The part of a WebSocket that is used. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;
