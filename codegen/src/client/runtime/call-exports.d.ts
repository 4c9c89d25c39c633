/** Why a call has no result. A method of the client throws one to answer with its code and text. */
export declare class CallError extends Error {
  readonly kind: CallErrorKind;
  readonly code: number;
  readonly data: unknown;
  constructor(message: string, code?: number, data?: unknown, kind?: CallErrorKind);
}
