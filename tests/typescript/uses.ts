// What a program that uses the clients may write, and what the compiler refuses. It is compiled, not run.

import type * as js from "../../codegen/tests/golden/types/js/sockets.js";
import type * as jsCalls from "../../codegen/tests/golden/calls/js/sockets.js";
import type * as jsNames from "../../codegen/tests/golden/names/js/sockets.js";
import * as calls from "../../codegen/tests/golden/calls/ts/sockets.ts";
import * as names from "../../codegen/tests/golden/names/ts/sockets.ts";
import * as types from "../../codegen/tests/golden/types/ts/sockets.ts";

// The declarations of the JavaScript are those of the TypeScript, in both directions.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
export const same: [
  Same<typeof js, typeof types>,
  Same<typeof jsNames, typeof names>,
  Same<typeof jsCalls.connectRpc, typeof calls.connectRpc>,
  Same<jsCalls.CallError, calls.CallError>,
] = [true, true, true, true];

// Discriminated unions: each variant by its tag.
export function internal(message: types.Internal): string {
  switch (message.type) {
    case "just-this":
      return message.type;
    case "newtype":
      return message.text;
    case "struct-of":
      return message.gameId;
  }
}

export function external(message: types.External): string | number | null {
  if (message === "Unit") return message;
  if ("Newtype" in message) return message.Newtype;
  if ("Tuple" in message) return message.Tuple[1];
  return message.Struct.b;
}

export function adjacent(message: types.Adjacent): number | (string | null)[] {
  switch (message.t) {
    case "A":
      return 0;
    case "B":
      return message.c;
    case "C":
      return message.c.d;
  }
}

const enums = types.connectEnums({ id: 7 }, { token: async () => "t", query: { a: ["b", 1] } });
enums.send({ type: "struct-of", gameId: "g", action: null });
// @ts-expect-error: the field is missing
enums.send({ type: "struct-of", action: null });
// @ts-expect-error: there is no such variant
enums.send({ type: "other" });
// @ts-expect-error: the parameter is missing
types.connectEnums({});
enums.onMessage((message) => {
  if (typeof message === "object" && "type" in message) message.message satisfies string;
});
// @ts-expect-error: a status is compared with what it cannot be
enums.onStatus((status) => status === "opened");

// A map may have a key whose type is another, and types may be without end.
types.connectBag().send({ kind: "Full", a: 1 });
// @ts-expect-error: the values are numbers
types.connectBag().send({ kind: "Full", a: "b" });
types.connectOdd().onMessage(([head, tail]) => (head satisfies number, tail?.[1]?.[0] satisfies number | undefined));
types.connectAny().send([{ any: "thing" }]);

// Queries: by the type that the route reads.
types.connectSearch({ shop: "a" }, { query: { term: "b", page: 2, tags: ["x", "y"], level: "VERY_HIGH" } });
types.connectSearch({ shop: "a" }, { reconnect: false, query: { term: "b", page: null, exact: true } });
// @ts-expect-error: the query has a term
types.connectSearch({ shop: "a" });
// @ts-expect-error: the query has a term
types.connectSearch({ shop: "a" }, { query: { page: 2 } });
// @ts-expect-error: the query has no such key
types.connectSearch({ shop: "a" }, { query: { term: "b", pages: 2 } });
// @ts-expect-error: a page is a number
types.connectSearch({ shop: "a" }, { query: { term: "b", page: "2" } });
types.connectList();
types.connectList({ query: { size: 10 } });
types.connectSorted({ query: { by: "LOW", page: 2 } });
// @ts-expect-error: the query says by what
types.connectSorted();
types.connectMaybe({ query: { any: "thing" } });

const { lastMessage } = types.stores(types.connectFlat());
lastMessage.subscribe((message) => message?.own satisfies number | undefined);
types.signals(types.connectHalf(), (value) => ({ value })).lastMessage.value?.children satisfies types.Tree[] | undefined;

const raw = names.connect();
raw.send(new Uint8Array(3));
raw.onMessage((data) => (typeof data === "string" ? data.length : data.byteLength));

const rpc = calls.connectRpc();
export const sum: Promise<number> = rpc.call("add", [1, 2]);
// @ts-expect-error: there is no such method
void rpc.call("subtract", [1, 2]);
// @ts-expect-error: the arguments are two
void rpc.call("add", [1]);
rpc.onEvent("said", ({ text }) => text satisfies string);
rpc.emit("typing", "ann");
rpc.answer("confirm", async ([question]) => question.length > 3);
// @ts-expect-error: the answer is yes or no
rpc.answer("confirm", () => "yes");
const few = calls.connectFew();
void few.call("anything", { at: "all" });
