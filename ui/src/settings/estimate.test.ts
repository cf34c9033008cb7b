import assert from "node:assert/strict";
import { test } from "node:test";
import { devicesOf, LEVERS, money } from "./estimate";

test("money has cents where they matter", () => {
  assert.match(money(1234.5), /1,23[45]$/);
  assert.match(money(19.351), /19\.35$/);
  assert.match(money(0.0063), /0\.0063$/);
  assert.match(money(0), /0\.00$/);
});

test("a number of devices is a whole number of at least one", () => {
  assert.equal(devicesOf("48"), 48);
  for (const text of ["", "0", "-1", "1.5", "1e3", "100000001", "many"]) assert.equal(devicesOf(text), undefined, text);
});

test("every slider can show what is usual", () => {
  for (const { steps, usual } of LEVERS) assert.ok(steps.includes(usual));
});
