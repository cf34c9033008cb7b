/** Webhooks as the API has them, and how an event's deliveries are told. */
import type { Shape } from "../api/calls";
import { titled } from "../app/format";
import type { Meaning } from "../parts/basic";

export type Webhook = Shape<"Integration">;
export type WebhookEvent = Shape<"Event">;
export type Delivery = Shape<"DeliveryStatus">;

export const INTEGRATIONS = "/management/v1/iot-manager/integrations";
export const EVENTS = "/management/v1/iot-manager/events";

export const SCOPES = [
  { value: "deviceauth", label: "Devices that are added, removed or change their status" },
  { value: "inventory", label: "Inventory that changes", feature: "inventory_events" },
  { value: "deployments", label: "Deployments: created, phases opened, results of devices, ended" },
];

export const urlOf = (webhook: Webhook): string => webhook.credentials.http?.url ?? webhook.provider;

export const scopesOf = (webhook: Webhook): string[] => [...webhook.scopes, ...(webhook.additional_scopes ?? [])];

/** How the last attempt went: at one webhook, or at all that got the event. */
export function outcome(event: WebhookEvent, webhook = ""): { is: Meaning; text: string } {
  const tried = event.delivery_statuses.filter((each) => !webhook || each.integration_id === webhook);
  if (tried.some((each) => each.queued)) return { is: "waiting", text: "Waits to be sent again" };
  const failed = tried.find((each) => !each.success);
  if (failed) return { is: "danger", text: titled(failed.error || `answered ${failed.status_code ?? "nothing"}`) };
  const code = tried.find((each) => each.status_code)?.status_code;
  return tried.length ? { is: "ok", text: code ? `Delivered (${code})` : "Delivered" } : { is: "waiting", text: "Not tried yet" };
}

/** The webhooks, of these, that did not take an event at its last attempt and do not wait for another. */
export const refusedBy = (event: WebhookEvent, webhooks: readonly Webhook[]): string[] =>
  event.delivery_statuses.filter((each) => !each.success && !each.queued && webhooks.some((one) => one.id === each.integration_id)).map((each) => each.integration_id);

/** An event that was sent again to these webhooks, until the server says more. */
export const queuedFor = (event: WebhookEvent, webhooks: readonly string[]): WebhookEvent => ({
  ...event,
  delivery_statuses: event.delivery_statuses.map((each) => (webhooks.includes(each.integration_id) ? { ...each, queued: true } : each)),
});

/** What is wrong with a receiver before it is sent; undefined: nothing. */
export function problem(url: string, secret: string): string | undefined {
  if (!/^https?:\/\/[^\s/]+/.test(url)) return "Enter a URL that begins with https:// or http://.";
  if (!/^([0-9a-f]{2})*$/i.test(secret)) return "The secret is hexadecimal: pairs of the digits 0-9 and a-f.";
  return undefined;
}

/** 32 random bytes as hexadecimal digits. */
export const newSecret = (): string => Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
