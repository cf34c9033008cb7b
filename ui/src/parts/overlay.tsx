/** What comes over the page: dialogs, drawers, menus, toasts. Focus goes in, stays in, and comes back. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { dismiss, textOf, toasts } from "../app/toasts";
import { ApiError } from "../api/client";
import { Button, type ButtonProps, classes, Copy, IconButton, useUid } from "./basic";
import { Banner } from "./feedback";
import { Input } from "./fields";
import { Icon, type IconName } from "./icons";
import { href } from "../app/router";

export interface DialogProps {
  open: boolean;
  title: ComponentChildren;
  onClose: () => void;
  /** Buttons at the end: what it is about last. */
  actions?: ComponentChildren;
  size?: "s" | "m" | "l";
  /** From the side, for details and longer forms. */
  drawer?: boolean;
  /** It can't be closed but by its own buttons. */
  stay?: boolean;
  children?: ComponentChildren;
}

export function Dialog(props: DialogProps) {
  return props.open ? <OpenDialog {...props} /> : null;
}

function OpenDialog({ title, onClose, actions, size = "m", drawer, stay, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const pressed = useRef<EventTarget | null>(null);
  const id = useUid("dialog");
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    const first = dialog?.querySelector<HTMLElement>("[autofocus], .dialog__body :is(input, select, textarea, button):not([disabled], .dialog__close)");
    (first ?? dialog)?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={classes("dialog", drawer ? "dialog--drawer" : `dialog--${size}`)}
      aria-labelledby={id}
      tabIndex={-1}
      onCancel={(event) => {
        event.preventDefault();
        if (!stay) onClose();
      }}
      onClose={() => {
        // Browsers close a dialog at the second Escape, whatever the page says to the first.
        if (!element.current?.isConnected) return;
        if (stay) element.current.showModal();
        else onClose();
      }}
      onMouseDown={(event) => (pressed.current = event.target)}
      onClick={(event) => {
        if (!stay && event.target === element.current && pressed.current === element.current) onClose();
      }}
    >
      <div class="dialog__frame">
        <header class="dialog__head">
          <h2 id={id}>{title}</h2>
          {!stay && <IconButton icon="close" label="Close" class="dialog__close" onClick={onClose} />}
        </header>
        <div class="dialog__body">{children}</div>
        {actions && <footer class="dialog__foot">{actions}</footer>}
      </div>
    </dialog>
  );
}

export const Drawer = (props: Omit<DialogProps, "drawer" | "size">) => <Dialog {...props} drawer />;

export interface ConfirmProps {
  open: boolean;
  /** With the number of what it concerns: "Reject 12 devices?" */
  title: string;
  /** What will happen, and whether it can be undone. */
  children?: ComponentChildren;
  /** The button, again with the number: "Reject 12 devices". */
  action: string;
  kind?: "danger" | "primary";
  /** Has to be typed before: for what can't be brought back. */
  typed?: string;
  onConfirm: () => Promise<unknown> | void;
  onClose: () => void;
}

/** Asks before something that can't be undone. Stays open, with the error, if it fails. */
export function ConfirmDialog(props: ConfirmProps) {
  return props.open ? <Confirm {...props} /> : null;
}

function Confirm({ title, children, action, kind = "danger", typed, onConfirm, onClose }: ConfirmProps) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const confirm = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      size="s"
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose} autofocus={!typed}>
            Cancel
          </Button>
          <Button kind={kind} busy={busy} disabled={typed !== undefined && text !== typed} onClick={() => void confirm()}>
            {action}
          </Button>
        </>
      }
    >
      <div class="stack gap-4">
        {children && <div class="prose">{children}</div>}
        {typed !== undefined && <Input label={`Type ${typed} to go on`} value={text} onInput={setText} autofocus />}
        {error !== undefined && (
          <Banner is="danger" requestId={error instanceof ApiError ? error.requestId : ""}>
            {textOf(error)}
          </Banner>
        )}
      </div>
    </Dialog>
  );
}

export interface MenuItem {
  label: string;
  icon?: IconName;
  onSelect?: () => void;
  /** A path of the console. */
  to?: string;
  danger?: boolean;
  disabled?: boolean;
  /** One of several that is chosen. */
  checked?: boolean;
  hint?: string;
}

export interface MenuProps extends Omit<ButtonProps, "children" | "onClick" | "icon" | "label"> {
  label: string;
  icon?: IconName;
  /** Shows the icon only; the label is its name. */
  iconOnly?: boolean;
  /** Anything else than label and icon inside of the button. */
  face?: ComponentChildren;
  items: readonly (MenuItem | "line" | { heading: string } | false | null | undefined)[];
}

/** A button with further things to do. Arrow keys, Home, End and first letters move in it. */
export function Menu({ label, icon, iconOnly, face, items, class: className, ...rest }: MenuProps) {
  const list = useRef<HTMLDivElement>(null);
  const id = useUid("menu");
  const [open, setOpen] = useState(false);
  const all = (): HTMLElement[] => [...(list.current?.querySelectorAll<HTMLElement>("[role^=menuitem]:not([aria-disabled=true])") ?? [])];

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const toggled = (event: Event): void => {
      const shown = (event as ToggleEvent).newState === "open";
      setOpen(shown);
      if (!shown) return;
      const button = document.getElementById(id)?.getBoundingClientRect();
      if (!button) return;
      const { width, height } = element.getBoundingClientRect();
      const end = button.left + width > innerWidth - 8;
      element.style.left = `${Math.max(8, end ? Math.min(button.right, innerWidth - 8) - width : button.left)}px`;
      const below = button.bottom + height + 8 <= innerHeight;
      element.style.top = `${below ? button.bottom + 4 : button.top > height + 8 ? button.top - height - 4 : Math.max(8, innerHeight - height - 8)}px`;
      all()[0]?.focus();
    };
    element.addEventListener("toggle", toggled);
    return () => element.removeEventListener("toggle", toggled);
  }, []);

  const close = (): void => {
    list.current?.hidePopover();
    document.getElementById(id)?.focus();
  };
  return (
    <>
      <Button
        {...rest}
        id={id}
        class={classes(iconOnly && "button--icon", className as string)}
        kind={iconOnly && !rest.kind ? "quiet" : rest.kind}
        {...(icon && !face ? { icon } : {})}
        aria-haspopup="menu"
        aria-expanded={open}
        {...(iconOnly || face ? { "aria-label": label, title: label } : {})}
        popovertarget={`${id}-list`}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            list.current?.showPopover();
          }
        }}
      >
        {face ?? (!iconOnly && label)}
        {!iconOnly && !face && <Icon name="open" size={14} />}
      </Button>
      <div
        ref={list}
        id={`${id}-list`}
        class="menu"
        popover="auto"
        role="menu"
        aria-label={label}
        onKeyDown={(event) => {
          const some = all();
          const at = some.indexOf(document.activeElement as HTMLElement);
          const next = { ArrowDown: at + 1, ArrowUp: at - 1 + some.length, Home: 0, End: some.length - 1 }[event.key];
          if (next !== undefined) {
            event.preventDefault();
            some[next % some.length]?.focus();
          } else if (event.key === "Tab") close();
          else if (event.key === "Escape") {
            event.stopPropagation();
            close();
          } else if (event.key.length === 1) {
            const later = [...some.slice(at + 1), ...some.slice(0, at + 1)];
            later.find((item) => item.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
          }
        }}
      >
        {items.map((item, index) => {
          if (!item) return null;
          if (item === "line") return <hr key={index} class="menu__line" />;
          if ("heading" in item) {
            return (
              <div key={index} class="menu__heading" role="presentation" dir="auto">
                {item.heading}
              </div>
            );
          }
          const inside = (
            <>
              {item.icon ? <Icon name={item.icon} /> : <span class="menu__gap" />}
              <span dir="auto">{item.label}</span>
              {item.hint && <span class="menu__hint">{item.hint}</span>}
              {item.checked && <Icon name="check" class="menu__check" />}
            </>
          );
          const common = {
            class: classes("menu__item", item.danger && "menu__item--danger"),
            role: item.checked === undefined ? ("menuitem" as const) : ("menuitemradio" as const),
            tabIndex: -1,
            ...(item.checked === undefined ? {} : { "aria-checked": item.checked }),
          };
          return item.to ? (
            <a key={index} {...common} href={href(item.to)} onClick={close}>
              {inside}
            </a>
          ) : (
            <button
              key={index}
              type="button"
              {...common}
              aria-disabled={item.disabled || undefined}
              onClick={() => {
                if (item.disabled) return;
                close();
                item.onSelect?.();
              }}
            >
              {inside}
            </button>
          );
        })}
      </div>
    </>
  );
}

/** Where toasts appear; once in the app. */
export function Toasts() {
  return (
    <div class="toasts" role="region" aria-label="Messages" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast is-${toast.kind}`} role={toast.kind === "danger" ? "alert" : "status"}>
          <Icon name={toast.kind === "danger" ? "danger" : toast.kind === "ok" ? "ok" : "info"} />
          <div class="toast__text">
            <span dir="auto">{toast.text}</span>
            {toast.requestId && (
              <span class="toast__id">
                Request <code>{toast.requestId}</code> <Copy text={toast.requestId} label="Copy the request's id" />
              </span>
            )}
          </div>
          {toast.undo && (
            <Button
              kind="quiet"
              small
              onClick={() => {
                dismiss(toast.id);
                return toast.undo?.();
              }}
            >
              Undo
            </Button>
          )}
          <IconButton icon="close" label="Close message" small onClick={() => dismiss(toast.id)} />
        </div>
      ))}
    </div>
  );
}
