/** The user's own settings, as far as they say which mails the user gets. */

/** The document that `settings/me` keeps: other programs may keep members of their own in it. */
export type OwnSettings = Record<string, unknown>;

export const OWN_SETTINGS = "/management/v1/useradm/settings/me";
export const ALERT_CHANNEL = "/management/v1/devicemonitor/settings/global/channel/alerts/email/status";

const asObject = (value: unknown): Record<string, unknown> => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {});

/** Mails that a user may turn off, as the settings name them. */
export type Mail = "device_alerts" | "deployment_approvals" | "deployment_stops";

/** Whether the user gets this kind of mail: unless it was turned off. */
export const wants = (settings: OwnSettings, mail: Mail): boolean => asObject(settings.notifications)[mail] !== false;

/** The settings with this choice; everything else stays as it is. */
export const choosing = (settings: OwnSettings, mail: Mail, on: boolean): OwnSettings => ({ ...settings, notifications: { ...asObject(settings.notifications), [mail]: on } });
