/** The console's icons, by what they mean here. Lucide's drawings; only those named here are in the build. */
import {
  Activity, Archive, ArrowDown, ArrowLeft, ArrowRight, ArrowUp, Bell, Boxes, Braces, Building2, Calendar, Check, ChevronDown, ChevronLeft,
  ChevronRight, ChevronUp, CircleAlert, CircleCheck, CircleDot, CircleHelp, CirclePause, CirclePlay, CircleX, Clock, Columns3, Copy, CornerDownLeft,
  Cpu, Download, Ellipsis, Eye, EyeOff, ExternalLink, File, Folder, History, House, Info, Key, KeyRound, LoaderCircle, Lock, LogOut, Mail, Menu,
  Minus, Monitor, Moon, Package, Pencil, Play, Plus, RefreshCw, Rocket, RotateCcw, ScrollText, Search, Send, Settings, Shield, SlidersHorizontal, Square,
  Star, Sun, Tag, Terminal, Trash2, TriangleAlert, Undo2, Upload, User, Users, Webhook, Wifi, WifiOff, X, Zap, Pause, Save, Link, Wallet, Layers,
} from "lucide";
import { h } from "preact";

const drawings = {
  activity: Activity, api: Braces, archive: Archive, down: ArrowDown, back: ArrowLeft, forward: ArrowRight, up: ArrowUp, bell: Bell, group: Boxes,
  organization: Building2, calendar: Calendar, check: Check, open: ChevronDown, previous: ChevronLeft, next: ChevronRight, close_up: ChevronUp,
  danger: CircleAlert, ok: CircleCheck, running: CircleDot, help: CircleHelp, waiting: CirclePause, resume: CirclePlay, failed: CircleX, clock: Clock,
  columns: Columns3, copy: Copy, enter: CornerDownLeft, device: Cpu, devices: Cpu, download: Download, more: Ellipsis, show: Eye, hide: EyeOff,
  outside: ExternalLink, file: File, folder: Folder, history: History, home: House, info: Info, key: Key, credentials: KeyRound, loading: LoaderCircle,
  lock: Lock, signout: LogOut, mail: Mail, menu: Menu, minus: Minus, system: Monitor, dark: Moon, release: Package, releases: Package, edit: Pencil,
  play: Play, add: Plus, refresh: RefreshCw, deployments: Rocket, deployment: Rocket, again: RotateCcw, audit: ScrollText, search: Search, send: Send,
  settings: Settings, shield: Shield, filter: SlidersHorizontal, stop: Square, star: Star, light: Sun, tag: Tag, terminal: Terminal, delete: Trash2,
  warning: TriangleAlert, undo: Undo2, upload: Upload, user: User, users: Users, webhook: Webhook, online: Wifi, offline: WifiOff, close: X, power: Zap,
  pause: Pause, save: Save, link: Link, cost: Wallet, software: Layers,
} as const;

export type IconName = keyof typeof drawings;
export const iconNames = Object.keys(drawings) as IconName[];

export interface IconProps {
  name: IconName;
  /** In pixels at 100 %; 16 if not given. */
  size?: number;
  /** What it means, where no text beside it says so. Without it readers of screens are not told of the icon. */
  label?: string;
  class?: string;
}

export function Icon({ name, size = 16, label, class: className }: IconProps) {
  const rem = `${size / 16}rem`;
  return (
    <svg
      class={`icon${className ? ` ${className}` : ""}`}
      width={rem}
      height={rem}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={size > 24 ? 1.5 : 2}
      stroke-linecap="round"
      stroke-linejoin="round"
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" })}
    >
      {drawings[name].map(([tag, attributes]) => h(tag as "path", attributes as object))}
    </svg>
  );
}

/** A lamp: the console's own mark. */
export function Mark({ size = 24 }: { size?: number }) {
  const rem = `${size / 16}rem`;
  return (
    <svg class="mark" width={rem} height={rem} viewBox="0 0 32 32" aria-hidden="true">
      <path class="mark__frame" d="M11 8.5 16 4l5 4.5M9.5 8.5h13l-2.2 15h-8.6z M11.5 23.5h9v3.2h-9z" />
      <path class="mark__flame" d="M16 11.5c2.7 2.7 3.3 4.2 3.3 5.8a3.3 3.3 0 0 1-6.6 0c0-1.6.6-3.1 3.3-5.8z" />
    </svg>
  );
}
