/** The settings of one call. */
export interface CallOptions {
  /** Milliseconds until the call fails, and is withdrawn. Default 30000. */
  timeout?: number;
  /** Withdraws the call. */
  signal?: {
    readonly aborted: boolean;
    addEventListener(type: "abort", listener: () => void): void;
    removeEventListener(type: "abort", listener: () => void): void;
  };
}

/** Methods by name. */
export type Methods = { [name: string]: (args: any) => unknown };

/** A socket whose route has calls and events. Its other messages are as those of a `Socket`. */
export interface CallSocket<
  Send,
  Receive,
  Calls extends Methods,
  Events extends { [name: string]: unknown },
  Asked extends Methods,
  Heard extends { [name: string]: unknown },
> extends Socket<Send, Receive> {
  /** Calls a method of the server. Fails with a `CallError`. */
  call<M extends keyof Calls & string>(
    method: M,
    args: Parameters<Calls[M]>[0],
    options?: CallOptions,
  ): Promise<Awaited<ReturnType<Calls[M]>>>;
  /** Sends an event. */
  emit<E extends keyof Events & string>(event: E, payload: Events[E]): Sent;
  /** Calls the listener with each event of this name. */
  onEvent<E extends keyof Heard & string>(event: E, listener: (payload: Heard[E]) => void): () => void;
  /**
   * Answers the server's calls of a method, instead of an earlier function. A `CallError` that the
   * function throws is the answer; any other error is reported as uncaught, and answered without details.
   */
  answer<M extends keyof Asked & string>(
    method: M,
    handler: (args: Parameters<Asked[M]>[0]) => ReturnType<Asked[M]> | Promise<ReturnType<Asked[M]>>,
  ): () => void;
}

/**
 * Why a call has no result: the server `failed` it, with its code; it took too long (`timeout`); the
 * connection ended (`closed`); it was not sent (`dropped`); or its signal has withdrawn it (`aborted`).
 */
export type CallErrorKind = "failed" | "timeout" | "closed" | "dropped" | "aborted";
