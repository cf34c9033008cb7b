/** The frame around all screens: navigation, search, who is signed in. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button, classes } from "../parts/basic";
import { Icon, Mark } from "../parts/icons";
import { Drawer, Menu } from "../parts/overlay";
import type { NavEntry } from "./feature";
import { bind } from "./keys";
import { href, navigate, place } from "./router";
import { Palette, paletteOpen } from "./Palette";
import { nav } from "./screens";
import { can, changeTenant, leave, session } from "./session";
import { type Theme, theme } from "./stored";
import { attempt } from "./toasts";

function isHere(entry: NavEntry): boolean {
  const { path } = place.value;
  return entry.path === "/" ? path === "/" : path === entry.path || path.startsWith(`${entry.path}/`);
}

function Entry({ entry, onClick }: { entry: NavEntry; onClick?: () => void }) {
  return (
    <a class="nav__one" href={href(entry.path)} onClick={onClick} {...(isHere(entry) ? { "aria-current": "page" as const } : {})}>
      <Icon name={entry.icon} size={18} />
      <span>{entry.label}</span>
    </a>
  );
}

const themes: [Theme, string, "system" | "light" | "dark"][] = [
  ["system", "As the system", "system"],
  ["light", "Light", "light"],
  ["dark", "Dark", "dark"],
];

function UserMenu() {
  const who = session.value;
  if (!who) return null;
  const { email, tenant_ids: [own, ...others] = [] } = who.user;
  const away = own !== undefined && own !== who.tenant.id;
  return (
    <Menu
      label={`Account: ${email}`}
      class="account"
      kind="quiet"
      face={
        <>
          <span class="account__initial" aria-hidden="true" data-initial={email.charAt(0).toUpperCase()} />
          <Icon name="open" size={14} />
        </>
      }
      items={[
        { heading: email },
        { label: "Profile and security", icon: "user", to: "/settings/profile" },
        away && { label: "Back to your own organization", icon: "organization", onSelect: () => void attempt(() => changeTenant(own)) },
        !away && others.length > 0 && can("tenants:read") && { label: "Work in another organization", icon: "organization", to: "/settings/tenants" },
        { label: "Keyboard shortcuts", icon: "help", onSelect: () => (paletteOpen.value = "keys") },
        "line",
        { heading: "Appearance" },
        ...themes.map(([value, label, icon]) => ({ label, icon, checked: theme.value === value, onSelect: () => void (theme.value = value) })),
        "line",
        { label: "Sign out", icon: "signout", onSelect: () => void attempt(() => leave()) },
      ]}
    />
  );
}

export function Shell({ children }: { children: ComponentChildren }) {
  const [more, setMore] = useState(false);
  const entries = nav.value;
  const main = entries.filter((entry) => !entry.foot);
  const foot = entries.filter((entry) => entry.foot);
  const tenant = session.value?.tenant.name ?? "";

  useEffect(() => {
    const ends = [
      bind("mod+k", "Search and commands", () => (paletteOpen.value = "search")),
      bind("/", "Search and commands", () => (paletteOpen.value = "search")),
      bind("?", "Keyboard shortcuts", () => (paletteOpen.value = "keys")),
      ...entries.flatMap((entry) => (entry.keys ? [bind(entry.keys, `Go to ${entry.label.toLowerCase()}`, () => navigate(entry.path))] : [])),
    ];
    return () => ends.forEach((end) => end());
  }, [entries]);

  return (
    <div class="shell">
      <a
        class="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("content")?.focus();
        }}
      >
        Skip to content
      </a>
      <header class="shell__head">
        <a class="brand" href={href("/")} aria-label="Lamplighter, overview">
          <Mark size={26} />
          <span class="brand__name">Lamplighter</span>
        </a>
        <span class="shell__tenant" title={tenant}>
          <bdi dir="auto">{tenant}</bdi>
        </span>
        <button type="button" class="searchbar" onClick={() => (paletteOpen.value = "search")}>
          <Icon name="search" />
          <span class="searchbar__text">Search or do…</span>
          <kbd class="kbd">{/Mac|iP/.test(globalThis.navigator?.platform ?? "") ? "⌘" : "Ctrl"} K</kbd>
        </button>
        <UserMenu />
      </header>
      <nav class="sidebar" aria-label="Main">
        {main.map((entry) => (
          <Entry key={entry.path} entry={entry} />
        ))}
        <span class="sidebar__gap" />
        {foot.map((entry) => (
          <Entry key={entry.path} entry={entry} />
        ))}
      </nav>
      <main id="content" class="shell__main" tabIndex={-1}>
        {children}
      </main>
      <nav class="bottombar" aria-label="Main, short">
        {main.slice(0, 4).map((entry) => (
          <Entry key={entry.path} entry={entry} />
        ))}
        <Button kind="quiet" class={classes("nav__one", [...main.slice(4), ...foot].some(isHere) && "nav__one--here")} aria-haspopup="dialog" onClick={() => setMore(true)}>
          <Icon name="menu" size={18} />
          <span>More</span>
        </Button>
      </nav>
      <Drawer open={more} title="Go to" onClose={() => setMore(false)}>
        <nav class="morenav" aria-label="All screens">
          {entries.map((entry) => (
            <Entry key={entry.path} entry={entry} onClick={() => setMore(false)} />
          ))}
        </nav>
      </Drawer>
      {paletteOpen.value && <Palette />}
    </div>
  );
}
