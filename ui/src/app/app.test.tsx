import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { render } from "preact";
import { type Answer, apiBase, ApiError, send, urlOf } from "../api/client";
import { settle, show, until } from "../testing/help";
import { format } from "./format";
import { href, match, navigate, parse, pathTo, place, setQuery } from "./router";
import { type Live, useLive } from "./resource";

let asked: { url: string; init: RequestInit }[] = [];
let answers: (Response | Error)[] = [];
beforeEach(() => {
  asked = [];
  answers = [];
  globalThis.fetch = (async (url: string, init: RequestInit) => {
    asked.push({ url, init });
    const next = answers.shift() ?? new Response("{}", { headers: { "content-type": "application/json" } });
    if (next instanceof Error) throw next;
    return next;
  }) as typeof fetch;
});
const json = (body: unknown, init: ResponseInit = {}): Response =>
  new Response(JSON.stringify(body), { ...init, headers: { "content-type": "application/json", ...init.headers } });

test("the API is found from the page's own path", () => {
  assert.equal(apiBase("/ui/"), "/api");
  assert.equal(apiBase("/api/ui/"), "/api");
  assert.equal(apiBase("/api/ui/index.html"), "/api");
  assert.equal(apiBase("/behind/a/proxy/ui/"), "/behind/a/proxy/api");
});

test("a place and its URL are the same", () => {
  const query = { q: "a b&c=d#e", tab: "ü" };
  const path = pathTo("devices", "a/b c");
  assert.deepEqual(parse(href(path, query)), { path, query });
  assert.equal(href("/devices", { page: "", all: false, none: undefined }), "#/devices");
  assert.deepEqual(parse(""), { path: "/", query: {} });
});

test("a pattern takes the parts of a path", () => {
  assert.deepEqual(match("/devices/:id", pathTo("devices", "a/b c")), { id: "a/b c" });
  assert.deepEqual(match("/settings/*", "/settings/users/7"), { rest: "users/7" });
  assert.deepEqual(match("/settings/*", "/settings"), { rest: "" });
  assert.equal(match("/devices/:id", "/devices"), undefined);
  assert.equal(match("/devices", "/devices/7"), undefined);
  assert.deepEqual(match("/password/:secret", "/password/%E0%A4"), { secret: "%E0%A4" });
});

test("one parameter changes and the others stay", () => {
  navigate("/devices", { status: "pending", page: 3 });
  setQuery({ page: "" });
  assert.deepEqual(place.value, { path: "/devices", query: { status: "pending" } });
});

test("a refusal has cause, status and request id", async () => {
  answers = [json({ error: "the deployment is finished" }, { status: 409, headers: { "x-men-requestid": "r-1", "retry-after": "7" } })];
  await assert.rejects(send("POST", "/x", { body: { a: 1 } }), (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.message, error.requestId, error.retryAfter], [409, "The deployment is finished.", "r-1", 7]);
    return true;
  });
  assert.equal(asked[0]?.init.credentials, "same-origin");
  assert.equal(asked[0]?.init.body, '{"a":1}');
});

test("no answer is an error that says so", async () => {
  answers = [new TypeError("Failed to fetch")];
  await assert.rejects(send("GET", "/x"), /could not be reached/);
});

test("parameters repeat, and empty ones are left out", () => {
  assert.equal(urlOf("/x", { id: ["a", "b"], q: "", n: 0 }), "/api/x?id=a&id=b&n=0");
});

test("what is drawn while another one's call is answered shows the answer", async () => {
  let answer: (found: Answer<number>) => void = () => undefined;
  let calls = 0;
  const call = (): Promise<Answer<number>> => {
    calls += 1;
    return new Promise((done) => {
      answer = done;
    });
  };
  const Shown = () => <p>{useLive("shared", call).data}</p>;
  const early = show(<Shown />);
  await until(() => calls === 1);
  const late = document.createElement("div");
  document.body.append(late);
  render(<Shown />, late);
  answer({ data: 7, status: 200, headers: new Headers(), etag: undefined, notModified: false, total: undefined });
  await until(() => early.textContent === "7");
  await until(() => late.textContent === "7");
  assert.equal(calls, 1);
  render(null, late);
  show(<p />);
});

test("a refresh is conditional and keeps what is shown", async () => {
  answers = [json([1], { headers: { etag: '"one"', "x-total-count": "9" } }), new Response(null, { status: 304 }), json({ error: "busy" }, { status: 503 })];
  let live: Live<number[]> | undefined;
  const Shown = () => {
    live = useLive("numbers", (signal, etag) => send<number[]>("GET", "/numbers", { signal, etag }));
    return <p>{live.data?.join()}</p>;
  };
  const place_ = show(<Shown />);
  await until(() => place_.textContent === "1");
  assert.equal(live?.total, 9);
  await live?.reload();
  assert.equal((asked[1]?.init.headers as Record<string, string>)["If-None-Match"], '"one"');
  assert.equal(place_.textContent, "1");
  await live?.reload();
  await settle();
  assert.equal(place_.textContent, "1");
  assert.equal(live?.error?.status, 503);
  show(<p />);
});

test("numbers, sizes and times read well", () => {
  assert.equal(format.bytes(999), "999 B");
  assert.equal(format.bytes(18_734_112), "18.7 MB");
  assert.equal(format.percent(0.99999), "99.9%");
  assert.equal(format.percent(0.0001), "0.1%");
  assert.equal(format.duration(4210), "1 h 10 min");
  assert.equal(format.utc(0), "1970-01-01 00:00:00 UTC");
  assert.equal(format.relative(1000, 1000), "just now");
  assert.equal(format.count(1, "device"), "1 device");
});
