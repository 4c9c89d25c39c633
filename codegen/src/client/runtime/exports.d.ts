/** The default of `Options.shouldReconnect`: whether the same try may succeed later. */
export declare function shouldReconnect(close: Close): boolean;

/** Sets the defaults of all sockets that are opened from now on. */
export declare function configure(options: Options): void;

/** Returns a socket's status, last message and last error as stores, in the shape of Svelte's. */
export declare function stores<Receive>(socket: Socket<any, Receive>): Stores<Receive>;

/**
 * Returns a socket's status, last message and last error as signals. They are made with the given
 * function, such as `signal` of `@preact/signals`.
 */
export declare function signals<Receive>(
  socket: Socket<any, Receive>,
  signal: <T>(value: T) => SignalLike<T>,
): Signals<Receive>;
