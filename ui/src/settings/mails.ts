/** The user's own settings, as far as they say which mails the user gets. */

/** The document that `settings/me` keeps: other programs may keep members of their own in it. */
export type OwnSettings = Record<string, unknown>;

export const OWN_SETTINGS = "/management/v1/useradm/settings/me";
export const ALERT_CHANNEL = "/management/v1/devicemonitor/settings/global/channel/alerts/email/status";

const asObject = (value: unknown): Record<string, unknown> => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {});

/** Mails that a user may turn off, as the settings name them. */
export type Mail = "device_alerts" | "deployment_approvals" | "deployment_stops";

/** What a user has to do with: alerts of devices, approvals of deployments, deployments. */
export type Task = "monitors" | "approves" | "manages";

export interface Choice {
  mail: Mail;
  task: Task;
  label: string;
  hint: string;
  /** What the mails are about, in a sentence. */
  about: string;
}

const CHOICES: readonly Choice[] = [
  { mail: "device_alerts", task: "monitors", label: "Alerts of devices", hint: "When something on a device becomes critical, and when it is back to normal. Only for devices that you may see.", about: "alerts" },
  { mail: "deployment_approvals", task: "approves", label: "Deployments that wait for approval", hint: "When somebody else has created a deployment that you may approve.", about: "deployments that wait for approval" },
  { mail: "deployment_stops", task: "manages", label: "Stopped deployments", hint: "When failures have paused or aborted a deployment that you may manage.", about: "stopped deployments" },
];

/** The mails that a user with these tasks gets unless they are turned off. */
export const choicesFor = (tasks: Readonly<Record<Task, boolean>>): Choice[] => CHOICES.filter(({ task }) => tasks[task]);

/** Whether the user gets this kind of mail: unless it was turned off. */
export const wants = (settings: OwnSettings, mail: Mail): boolean => asObject(settings.notifications)[mail] !== false;

/** The settings with this choice; everything else stays as it is. */
export const choosing = (settings: OwnSettings, mail: Mail, on: boolean): OwnSettings => ({ ...settings, notifications: { ...asObject(settings.notifications), [mail]: on } });
