import assert from "node:assert/strict";
import { test } from "node:test";
import { outcome, problem, type WebhookEvent } from "./delivery";

const event = (...delivery_statuses: WebhookEvent["delivery_statuses"]): WebhookEvent => ({ id: "1", type: "a", time: "", data: {}, delivery_statuses });

test("a delivery is told by its last attempt, a failure first", () => {
  assert.deepEqual(outcome(event()), { is: "waiting", text: "Not tried yet" });
  assert.deepEqual(outcome(event({ integration_id: "a", success: true, status_code: 204 })), { is: "ok", text: "Delivered (204)" });
  const both = event({ integration_id: "a", success: true }, { integration_id: "b", success: false, status_code: 500 });
  assert.deepEqual(outcome(both), { is: "danger", text: "Answered 500" });
  assert.deepEqual(outcome(both, "a"), { is: "ok", text: "Delivered" });
  assert.equal(outcome(event({ integration_id: "b", success: false, error: "no such host" })).text, "no such host");
});

test("a receiver's URL and secret are checked before they are sent", () => {
  assert.equal(problem("https://hooks.example.com/a", "00ff"), undefined);
  assert.match(problem("hooks.example.com", "") ?? "", /https/);
  assert.match(problem("https://a", "xyz") ?? "", /hexadecimal/);
  assert.match(problem("https://a", "abc") ?? "", /pairs/);
});
