import assert from "node:assert/strict";
import { test } from "node:test";
import { accepts, certificatesOf, changed, identityText, linesOf, patternOf, type Rule, today } from "./rules";

const rule = (more: Partial<Rule> = {}): Rule => ({
  id: "1",
  name: "gateways",
  type: "pattern",
  enabled: true,
  pattern: { mac: "00:*", sku: "x-??" },
  certificates: [],
  authorities: [],
  common_name: "",
  max_per_day: 0,
  accepted_today: 12,
  created_ts: "",
  updated_ts: "",
  ...more,
});

test("patterns are lines, and come back from them", () => {
  assert.equal(linesOf(rule().pattern), "mac=00:*\nsku=x-??");
  assert.deepEqual(patternOf(linesOf(rule().pattern)), rule().pattern);
  assert.deepEqual(patternOf(" a = b=c \n\n"), { a: "b=c" });
  assert.deepEqual(patternOf(""), {});
  for (const wrong of ["a", "=b", "a=", "a=b\nc"]) assert.equal(patternOf(wrong), undefined);
});

test("a rule is said in words", () => {
  assert.equal(accepts(rule()), "mac=00:*, sku=x-??");
  assert.equal(accepts(rule({ type: "identities", pattern: {} })), "Preregistered identities");
  const authorities = [{ subject: "CN=factory", not_after: "" }];
  assert.equal(accepts(rule({ type: "certificate", authorities })), "Certificates of CN=factory, with mac=00:*, sku=x-??");
  assert.deepEqual([today(rule()), today(rule({ max_per_day: 200 }))], ["12", "12 of 200"]);
  assert.equal(identityText({ mac: "a", line: 4 }), "mac: a, line: 4");
});

test("certificates are found in a text", () => {
  const one = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
  assert.deepEqual(certificatesOf(`subject=a\n${one}\nsubject=b\n${one}\n`), [one, one]);
  assert.deepEqual(certificatesOf("none"), []);
});

test("a changed rule has no read-only members", () => {
  assert.deepEqual(Object.keys(changed(rule(), { enabled: false })).sort(), ["certificates", "common_name", "enabled", "max_per_day", "name", "pattern", "type"]);
});
