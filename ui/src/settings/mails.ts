/** The user's own settings, as far as they say which mails the user gets. */

/** The document that `settings/me` keeps: other programs may keep members of their own in it. */
export type OwnSettings = Record<string, unknown>;

export const OWN_SETTINGS = "/management/v1/useradm/settings/me";
export const ALERT_CHANNEL = "/management/v1/devicemonitor/settings/global/channel/alerts/email/status";

const asObject = (value: unknown): Record<string, unknown> => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {});

/** Whether the user gets mails about alerts: unless it was turned off. */
export const wantsAlerts = (settings: OwnSettings): boolean => asObject(settings.notifications).device_alerts !== false;

/** The settings with this choice; everything else stays as it is. */
export const withAlerts = (settings: OwnSettings, on: boolean): OwnSettings => ({ ...settings, notifications: { ...asObject(settings.notifications), device_alerts: on } });
