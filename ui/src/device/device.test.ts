import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { fromFrame, InOrder, mapOf, message, SHELL, toFrame } from "./dialect";
import type { Attribute } from "../devices/types";
import { filled, repeated } from "./Pairs";
import { read } from "./recording";
import { compare, search, softwareOf } from "./types";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a message survives the text dialect, and what is no frame is left out", () => {
  const one = message(SHELL, "shell", { props: { status: 1 }, body: bytes("ls\r") });
  const text = toFrame(7, one);
  assert.match(text, /^7:/);
  assert.deepEqual(fromFrame(`ab:${text}`), { source: "ab", number: 7, message: one });
  for (const wrong of ["", "a:b", "a:1:%%", `a:1:${btoa("\xc1")}`]) assert.equal(fromFrame(wrong), undefined);
});

test("messages come in order, whenever their source began", () => {
  const heard: string[] = [];
  let begin = (): void => undefined;
  const order = new InOrder((one) => heard.push(one.typ), (run) => (begin = run));
  const add = (source: string, number: number, typ: string): void => order.add({ source, number, message: message(SHELL, typ) });
  add("a", 2, "two");
  add("", 0, "server");
  add("a", 1, "one");
  add("a", 1, "again");
  add("+b", 9, "nine");
  add("+b", 8, "eight");
  assert.deepEqual(heard, ["server", "one", "two"]);
  begin();
  assert.deepEqual(heard.slice(3), ["eight", "nine"]);
});

test("silences of a recording are cut, and sizes are kept", () => {
  const parts = read(encode([[1000, new Uint8Array(), 80, 24], [1100, bytes("a")], [61_100, bytes("b")]]));
  assert.deepEqual(parts.map((part) => [part.at, part.width]), [[0, 80], [100, 0], [1600, 0]]);
});

test("wanted and reported configuration are compared by key", () => {
  const rows = compare({ configured: { a: "1", b: "2", c: "3" }, reported: { a: "1", b: "0", d: "4" } });
  assert.deepEqual(rows.map((row) => row.is), ["same", "waiting", "only-wanted", "only-reported"]);
});

test("inventory is searched by all words, and software found in it", () => {
  const attributes: Attribute[] = [
    { scope: "inventory", name: "kernel", value: "Linux 6.6" },
    { scope: "inventory", name: "rootfs-image.version", value: "2.0" },
    { scope: "inventory", name: "artifact_name", value: "os-2" },
  ];
  assert.deepEqual(search(attributes, "LINUX kern").map((each) => each.name), ["kernel"]);
  assert.deepEqual(softwareOf({ id: "1", attributes, updated_ts: "" }), [["artifact_name", "os-2"], ["rootfs-image.version", "2.0"]]);
});

test("pairs without a name are left out, and repeated names are told", () => {
  assert.deepEqual(filled([[" a ", "1"], ["", "2"]]), [["a", "1"]]);
  assert.deepEqual(repeated([["a", "1"], ["a ", "2"], ["", ""], ["", ""]]), ["a"]);
  assert.deepEqual(mapOf(bytes("")), {});
});
