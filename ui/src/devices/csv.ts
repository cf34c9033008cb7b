/** Devices as a table that spreadsheets open: one row for each, one column for each attribute that any has. */
import { call } from "../api/client";
import { saveText } from "../app/save";
import type { SearchBody } from "./conditions";
import { type Device, shown } from "./types";

const PER_PAGE = 500;

/** A cell. What a spreadsheet would take for a formula is kept as text. */
export function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toCsv(devices: readonly Device[]): string {
  const names = new Set<string>();
  const rows = devices.map((device) => {
    const values = new Map<string, string>([["id", device.id], ["updated", device.updated_ts]]);
    for (const attribute of device.attributes) {
      const name = `${attribute.scope}/${attribute.name}`;
      names.add(name);
      values.set(name, shown(attribute.value));
    }
    return values;
  });
  const columns = ["id", "updated", ...[...names].sort()];
  return [columns.map(cell).join(","), ...rows.map((row) => columns.map((column) => cell(row.get(column) ?? "")).join(","))].join("\r\n");
}

/** All that a search finds, as a file to be saved. */
export async function exportCsv(body: SearchBody): Promise<void> {
  const found: Device[] = [];
  for (let page = 1; ; page++) {
    const { data } = await call("POST", "/management/v2/inventory/filters/search", { body: { ...body, page, per_page: PER_PAGE } });
    found.push(...data);
    if (data.length < PER_PAGE) break;
  }
  saveText(`\ufeff${toCsv(found)}`, `devices-${new Date().toISOString().slice(0, 10)}.csv`, "text/csv");
}
