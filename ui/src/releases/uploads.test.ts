import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ApiError } from "../api/client";
import { Gate } from "./gate";
import { type Part, type Parts, sendParts, Unreachable, type Way } from "./parts";

/** A bucket that answers as told: by part, the statuses of its first tries; then 200. */
function bucket(count: number, told: Record<number, number[]> = {}, stored: number[] = []) {
  const there = new Set(stored);
  const tried: number[] = [];
  const held: (() => void)[] = [];
  let listed = 0;
  const way: Way = {
    list: async (page, perPage): Promise<Parts> => {
      listed += 1;
      const numbers = Array.from({ length: count }, (_, index) => index + 1).slice((page - 1) * perPage, page * perPage);
      return { count, parts: numbers.map((number) => ({ number, size: 10, stored: there.has(number) })) };
    },
    put: (part: Part, onSent, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
        tried.push(part.number);
        onSent(5);
        const status = told[part.number]?.shift() ?? 200;
        const answer = (): void => {
          if (status === 200) there.add(part.number);
          resolve(status);
        };
        if (status === -1) held.push(answer);
        else answer();
      }),
  };
  return { way, there, tried, held, lists: () => listed };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Let the time that an upload rests pass at once, until it has ended. */
async function through<T>(upload: Promise<T>): Promise<T> {
  mock.timers.enable({ apis: ["setTimeout"] });
  let over = false;
  const end = (): void => void (over = true);
  upload.then(end, end);
  for (let turns = 0; !over && turns < 2000; turns += 1) {
    await settled();
    mock.timers.tick(1000);
  }
  mock.timers.reset();
  assert.ok(over, "the upload never ends");
  return upload;
}

test("parts that have not arrived are sent, page by page, and nothing is asked for twice", async () => {
  const { way, there, tried, lists } = bucket(205, {}, [1, 2, 101]);
  let sent = 0;
  await through(sendParts(way, new Gate(), (bytes) => (sent = bytes), new AbortController().signal));
  assert.equal(there.size, 205);
  assert.deepEqual(tried.sort((a, b) => a - b), Array.from({ length: 205 }, (_, index) => index + 1).filter((number) => ![1, 2, 101].includes(number)));
  assert.equal(sent, 2050);
  assert.equal(lists(), 3);
});

test("a part that is lost or refused for a while is tried again, with a new link when need be", async () => {
  const gate = new Gate();
  const { way, there, tried } = bucket(3, { 2: [0, 503, 0, 0, 0, 0, 0, 0], 3: [403] }, [1]);
  await through(sendParts(way, gate, () => undefined, new AbortController().signal));
  assert.equal(there.size, 3);
  assert.equal(tried.filter((number) => number === 2).length, 9);
  assert.equal(gate.lost, false);
});

test("a part whose answer was lost is not sent again", async () => {
  const { way, there, tried } = bucket(2, { 2: [0, 0] }, [1]);
  const put = way.put;
  way.put = async (part, onSent, signal) => {
    there.add(part.number);
    return put(part, onSent, signal);
  };
  await through(sendParts(way, new Gate(), () => undefined, new AbortController().signal));
  assert.deepEqual(tried, [2, 2], "the second failure asks the server");
});

test("a bucket that never answers is unreachable; one that refuses for good says so", async () => {
  const silent = bucket(1, { 1: Array<number>(20).fill(0) });
  await assert.rejects(through(sendParts(silent.way, new Gate(), () => undefined, new AbortController().signal)), Unreachable);
  const refusing = bucket(4, { 2: Array<number>(20).fill(403) });
  await assert.rejects(through(sendParts(refusing.way, new Gate(), () => undefined, new AbortController().signal)), ApiError);
  assert.equal(refusing.tried.filter((number) => number === 2).length, 3);
});

test("a pause breaks off what is on its way, and all of it is sent afterwards", async () => {
  const gate = new Gate();
  const { way, there, tried, held } = bucket(2, { 1: [-1], 2: [-1] });
  let sent = 0;
  const upload = sendParts(way, gate, (bytes) => (sent = bytes), new AbortController().signal);
  while (held.length < 2) await settled();
  assert.equal(sent, 10);
  gate.hold("paused");
  gate.hold("offline");
  await settled();
  gate.release("offline");
  await settled();
  assert.deepEqual([tried.length, there.size, gate.held], [2, 0, "paused"]);
  gate.release("paused");
  await through(upload);
  assert.deepEqual([there.size, sent], [2, 20]);
});

test("who stops an upload ends it at once, also while it is paused", async () => {
  const gate = new Gate();
  const stop = new AbortController();
  const upload = sendParts(bucket(2).way, gate, () => undefined, stop.signal);
  gate.hold("paused");
  stop.abort();
  await assert.rejects(upload, { name: "AbortError" });
});
