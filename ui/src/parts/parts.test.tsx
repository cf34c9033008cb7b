import assert from "node:assert/strict";
import { test } from "node:test";
import { settle, show } from "../testing/help";
import { diffLines } from "./more";
import { DataTable, isSelected, nothing, type Selection, selectedCount, sortRows } from "./table";
import { Button } from "./basic";
import { Input } from "./fields";

test("a difference has every line of both texts, in order", () => {
  const lines = diffLines("a\nb\nc\nd", "a\nc\nx\nd");
  assert.deepEqual(lines.map(({ kind, text }) => `${kind} ${text}`), ["same a", "gone b", "same c", "new x", "same d"]);
  assert.deepEqual(diffLines("", "a"), [{ kind: "new", text: "a" }]);
  assert.deepEqual(diffLines("a", ""), [{ kind: "gone", text: "a" }]);
});

test("all but some can be selected", () => {
  const selection: Selection = { all: true, keys: new Set(["b"]) };
  assert.equal(isSelected(selection, "a"), true);
  assert.equal(isSelected(selection, "b"), false);
  assert.equal(selectedCount(selection, 100_000), 99_999);
  assert.equal(selectedCount(nothing, 5), 0);
});

test("rows are sorted by number or by name with numbers in it", () => {
  const rows = [{ n: "d10" }, { n: "d9" }];
  assert.deepEqual(sortRows(rows, { column: "n", descending: false }, { n: (row) => row.n }).map((row) => row.n), ["d9", "d10"]);
});

test("a long table draws only what is in sight", async () => {
  const rows = Array.from({ length: 100_000 }, (_, id) => ({ id: String(id) }));
  const place = show(<DataTable name="test" label="Devices" columns={[{ id: "id", title: "Id", cell: (row) => row.id }]} rows={rows} rowKey={(row) => row.id} />);
  await settle();
  const drawn = place.querySelectorAll("[data-index]").length;
  assert.ok(drawn > 10 && drawn < 100, String(drawn));
  assert.equal(place.querySelector("[role=grid]")?.getAttribute("aria-rowcount"), "100001");
});

test("space selects a row and enter opens it", async () => {
  const rows = ["a", "b"].map((id) => ({ id }));
  let selection = nothing;
  let opened = "";
  const place = show(
    <DataTable name="test" label="Devices" columns={[{ id: "id", title: "Id", cell: (row) => row.id }]} rows={rows} rowKey={(row) => row.id} selection={selection} onSelection={(next) => (selection = next)} onOpen={(row) => (opened = row.id)} />,
  );
  await settle();
  const row = place.querySelector("[data-index='1']");
  row?.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
  row?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  assert.deepEqual([...selection.keys], ["b"]);
  assert.equal(opened, "b");
});

test("a button is busy as long as its promise", async () => {
  let end = (): void => undefined;
  let clicks = 0;
  const place = show(
    <Button
      onClick={() => {
        clicks++;
        return new Promise<void>((done) => (end = done));
      }}
    >
      Save
    </Button>,
  );
  const button = place.querySelector("button");
  button?.click();
  await settle();
  assert.equal(button?.getAttribute("aria-busy"), "true");
  button?.click();
  end();
  await settle();
  assert.equal(button?.getAttribute("aria-busy"), null);
  assert.equal(clicks, 1);
});

test("a field has its label, and its error is read with it", () => {
  const place = show(<Input label="Name" value="" onInput={() => undefined} error="It is empty." />);
  const input = place.querySelector("input");
  assert.equal(place.querySelector("label")?.getAttribute("for"), input?.id);
  const described = input?.getAttribute("aria-describedby") ?? "";
  assert.equal(document.getElementById(described)?.textContent, "It is empty.");
});
