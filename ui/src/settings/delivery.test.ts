import assert from "node:assert/strict";
import { test } from "node:test";
import { outcome, problem, queuedFor, refusedBy, type Webhook, type WebhookEvent } from "./delivery";

const event = (...delivery_statuses: WebhookEvent["delivery_statuses"]): WebhookEvent => ({ id: "1", type: "a", time: "", data: {}, delivery_statuses });

test("a delivery is told by its last attempt, a failure first", () => {
  assert.deepEqual(outcome(event()), { is: "waiting", text: "Not tried yet" });
  assert.deepEqual(outcome(event({ integration_id: "a", success: true, status_code: 204 })), { is: "ok", text: "Delivered (204)" });
  const both = event({ integration_id: "a", success: true }, { integration_id: "b", success: false, status_code: 500 });
  assert.deepEqual(outcome(both), { is: "danger", text: "Answered 500" });
  assert.deepEqual(outcome(both, "a"), { is: "ok", text: "Delivered" });
  assert.equal(outcome(event({ integration_id: "b", success: false, error: "no such host" })).text, "No such host");
});

test("an event is sent again to the webhooks that failed, and waits from then on", () => {
  const failed = event({ integration_id: "a", success: false }, { integration_id: "b", success: true }, { integration_id: "gone", success: false });
  const webhooks = ["a", "b"].map((id): Webhook => ({ id, provider: "webhook", description: "", credentials: { type: "http" }, scopes: [], additional_scopes: [] }));
  assert.deepEqual(refusedBy(failed, webhooks), ["a"]);
  const waits = queuedFor(failed, ["a"]);
  assert.deepEqual(outcome(waits, "a"), { is: "waiting", text: "Waits to be sent again" });
  assert.deepEqual(outcome(waits, "b"), { is: "ok", text: "Delivered" });
  assert.deepEqual(refusedBy(waits, webhooks), []);
});

test("a receiver's URL and secret are checked before they are sent", () => {
  assert.equal(problem("https://hooks.example.com/a", "00ff"), undefined);
  assert.match(problem("hooks.example.com", "") ?? "", /https/);
  assert.match(problem("https://a", "xyz") ?? "", /hexadecimal/);
  assert.match(problem("https://a", "abc") ?? "", /pairs/);
});
