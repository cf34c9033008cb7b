/** Everything that is filled in. Each control brings its label, hint and error. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Badge, classes, IconButton, useUid } from "./basic";
import { Icon, type IconName } from "./icons";

export interface FieldProps {
  label: string;
  /** For readers of screens only: where the place says what it is (a search in a toolbar). */
  hideLabel?: boolean;
  hint?: ComponentChildren;
  /** What is wrong and what to do. */
  error?: ComponentChildren;
  optional?: boolean;
}

interface FieldIds {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

/** The frame of a control, for one that is not here: gives it its id and descriptions. */
export function Field({ label, hideLabel, hint, error, optional, children }: FieldProps & { children: (ids: FieldIds) => ComponentChildren }) {
  const id = useUid("f");
  const described = classes(hint ? `${id}-h` : "", error ? `${id}-e` : "") || undefined;
  return (
    <div class={classes("field", error && "field--wrong")}>
      <label class={hideLabel ? "seen-by-readers" : "field__label"} for={id}>
        {label}
        {optional && <span class="field__optional"> (optional)</span>}
      </label>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {hint && (
        <div class="field__hint" id={`${id}-h`}>
          {hint}
        </div>
      )}
      {error && (
        <div class="field__error" id={`${id}-e`} role="alert">
          <Icon name="danger" size={14} />
          <span>{error}</span>
        </div>
      )}
    </div>
  );
}

type Native<K extends "input" | "select" | "textarea"> = Omit<
  JSX.IntrinsicElements[K],
  "label" | "onInput" | "onChange" | "value" | "icon" | "size" | "role" | "type" | "list" | "checked"
>;
type TextType = "text" | "email" | "search" | "url" | "tel" | "number";

export interface InputProps extends FieldProps, Native<"input"> {
  type?: TextType;
  value: string;
  onInput: (value: string) => void;
  icon?: IconName;
  /** A button that empties it. */
  clearable?: boolean;
  mono?: boolean;
}

/** Focuses a field that comes with a later step of a page: browsers heed `autofocus` only while a page is loaded. */
function useAutofocus({ autofocus }: { autofocus?: unknown }): { current: HTMLInputElement | null } {
  const control = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (autofocus) control.current?.focus();
  }, []);
  return control;
}

export function Input({ label, hideLabel, hint, error, optional, value, onInput, icon, clearable, mono, class: className, type = "text", ...rest }: InputProps) {
  const control = useAutofocus(rest);
  return (
    <Field {...{ label, hideLabel, hint, error, optional }}>
      {(ids) => (
        <div class={classes("input", icon && "input--icon", className as string)}>
          {icon && <Icon name={icon} class="input__icon" />}
          <input
            dir="auto"
            autocomplete="off"
            spellcheck={false}
            {...(rest as object)}
            {...ids}
            ref={control}
            type={type as "text"}
            class={mono ? "mono" : undefined}
            value={value}
            onInput={(event) => onInput(event.currentTarget.value)}
          />
          {clearable && value && (
            <IconButton
              icon="close"
              label={`Clear ${label.toLowerCase()}`}
              small
              class="input__clear"
              onClick={() => {
                onInput("");
                control.current?.focus();
              }}
            />
          )}
        </div>
      )}
    </Field>
  );
}

export function Password(props: Omit<InputProps, "type" | "icon" >) {
  const [shown, setShown] = useState(false);
  const { label, hideLabel, hint, error, optional, value, onInput, mono: _mono, clearable: _clearable, class: className, ...rest } = props;
  const control = useAutofocus(rest);
  return (
    <Field {...{ label, hideLabel, hint, error, optional }}>
      {(ids) => (
        <div class={classes("input input--end", className as string)}>
          <input
            spellcheck={false}
            autocomplete="current-password"
            {...(rest as object)}
            {...ids}
            ref={control}
            type={(shown ? "text" : "password") as "password"}
            value={value}
            onInput={(event) => onInput(event.currentTarget.value)}
          />
          <IconButton
            icon={shown ? "hide" : "show"}
            label={shown ? "Hide password" : "Show password"}
            small
            class="input__clear"
            onClick={() => setShown(!shown)}
          />
        </div>
      )}
    </Field>
  );
}

export interface TextAreaProps extends FieldProps, Native<"textarea"> {
  value: string;
  onInput: (value: string) => void;
  mono?: boolean;
}

export function TextArea({ label, hideLabel, hint, error, optional, value, onInput, mono, rows = 4, ...rest }: TextAreaProps) {
  return (
    <Field {...{ label, hideLabel, hint, error, optional }}>
      {(ids) => (
        <textarea dir="auto" {...rest} {...ids} rows={rows} class={classes("textarea", mono && "mono")} value={value} onInput={(event) => onInput(event.currentTarget.value)} />
      )}
    </Field>
  );
}

export interface Option<V extends string = string> {
  value: V;
  label: string;
  hint?: string;
}

export interface SelectProps<V extends string> extends FieldProps {
  value: V;
  options: readonly Option<V>[];
  onChange: (value: V) => void;
  disabled?: boolean;
}

/** One of a few. For many, or with search: {@link Combobox}. */
export function Select<V extends string>({ label, hideLabel, hint, error, optional, value, options, onChange, disabled }: SelectProps<V>) {
  return (
    <Field {...{ label, hideLabel, hint, error, optional }}>
      {(ids) => (
        <div class="input select">
          <select {...ids} disabled={disabled} value={value} onChange={(event) => onChange(event.currentTarget.value as V)}>
            {options.map((option) => (
              <option key={option.value} value={option.value}>
                {option.label}
              </option>
            ))}
          </select>
          <Icon name="open" class="select__icon" />
        </div>
      )}
    </Field>
  );
}

export interface ComboboxProps extends FieldProps {
  value: string;
  /** What the value is called, where `options` may not know (yet). */
  shown?: string;
  /** All of them, or a function that finds those that fit what is typed. */
  options: readonly Option[] | ((text: string, signal: AbortSignal) => Promise<readonly Option[]>);
  onChange: (value: string) => void;
  /** What is typed is a value too, though no option has it. */
  free?: boolean;
  placeholder?: string;
  disabled?: boolean;
  icon?: IconName;
}

/** One of many, found by typing. */
export function Combobox({ label, hideLabel, hint, error, optional, value, shown, options, onChange, free, placeholder, disabled, icon }: ComboboxProps) {
  const list = useUid("l");
  const [text, setText] = useState<string | undefined>(undefined);
  const [found, setFound] = useState<readonly Option[]>([]);
  const [active, setActive] = useState(0);
  const [busy, setBusy] = useState(false);
  const open = text !== undefined;
  const fixed = typeof options === "function" ? found : options;
  const label_ = fixed.find((option) => option.value === value)?.label ?? shown ?? value;
  const needle = (text ?? "").trim().toLowerCase();

  useEffect(() => {
    if (!open || typeof options !== "function") return;
    const abort = new AbortController();
    const wait = setTimeout(
      () => {
        setBusy(true);
        options(text, abort.signal)
          .then((all) => !abort.signal.aborted && setFound(all))
          .catch(() => undefined)
          .finally(() => !abort.signal.aborted && setBusy(false));
      },
      text ? 150 : 0,
    );
    return () => {
      clearTimeout(wait);
      abort.abort();
    };
  }, [text, open, typeof options === "function"]);

  const fitting =
    typeof options === "function" || !needle
      ? fixed
      : fixed.filter((option) => `${option.label} ${option.value} ${option.hint ?? ""}`.toLowerCase().includes(needle));
  const own: Option[] =
    free && needle && !fitting.some((option) => option.value === text?.trim()) ? [{ value: (text ?? "").trim(), label: `Use “${(text ?? "").trim()}”` }] : [];
  const shownOptions = [...fitting.slice(0, 100), ...own];

  const choose = (option: Option | undefined): void => {
    if (option) onChange(option.value);
    setText(undefined);
    setActive(0);
  };
  return (
    <Field {...{ label, hideLabel, hint, error, optional }}>
      {(ids) => (
        <div class={classes("input select combobox", icon && "input--icon")}>
          {icon && <Icon name={icon} class="input__icon" />}
          <input
            {...ids}
            type="text"
            role="combobox"
            dir="auto"
            autocomplete="off"
            spellcheck={false}
            disabled={disabled}
            placeholder={open && label_ ? label_ : placeholder}
            value={text ?? label_}
            aria-expanded={open}
            aria-controls={list}
            aria-autocomplete="list"
            aria-activedescendant={open && shownOptions[active] ? `${list}-${active}` : undefined}
            onFocus={(event) => event.currentTarget.select()}
            onClick={() => !open && setText("")}
            onInput={(event) => {
              setText(event.currentTarget.value);
              setActive(0);
            }}
            onBlur={() => {
              if (open && free && text) onChange(text.trim());
              setText(undefined);
            }}
            onKeyDown={(event) => {
              const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
              if (step) {
                event.preventDefault();
                if (!open) setText("");
                else setActive((active + step + shownOptions.length) % Math.max(1, shownOptions.length));
              } else if (event.key === "Enter" && open) {
                event.preventDefault();
                choose(shownOptions[active]);
              } else if (event.key === "Escape" && open) {
                event.preventDefault();
                event.stopPropagation();
                setText(undefined);
              }
            }}
          />
          {value && optional && !disabled ? (
            <IconButton icon="close" label={`Clear ${label.toLowerCase()}`} small class="input__clear" onClick={() => onChange("")} />
          ) : (
            <Icon name={busy ? "loading" : "open"} class={classes("select__icon", busy && "spin")} />
          )}
          <div class="options" role="listbox" id={list} aria-label={label} hidden={!open}>
            {shownOptions.map((option, index) => (
              <div
                key={option.value}
                id={`${list}-${index}`}
                role="option"
                aria-selected={option.value === value}
                class={classes("options__one", index === active && "options__one--active")}
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => choose(option)}
                onMouseMove={() => setActive(index)}
              >
                <span dir="auto">{option.label}</span>
                {option.hint && <span class="muted small">{option.hint}</span>}
              </div>
            ))}
            {shownOptions.length === 0 && (
              <div class="options__none" role="option" aria-selected={false} aria-disabled>
                {busy ? "Searching…" : "Nothing fits"}
              </div>
            )}
          </div>
        </div>
      )}
    </Field>
  );
}

/** Time zones by the names that browsers list; UTC, which some leave out, is first. */
function zones(): Option[] {
  const names = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
  return names.map((name) => ({ value: name, label: name }));
}

/** A time zone by its IANA name. One that the browser does not list may be typed. */
export function TimeZone(props: Omit<ComboboxProps, "options" | "free">) {
  const [options] = useState(zones);
  return <Combobox {...props} options={options} free />;
}

export interface CheckboxProps extends Native<"input"> {
  label: ComponentChildren;
  hideLabel?: boolean;
  hint?: ComponentChildren;
  checked: boolean;
  /** Some, but not all, of what it stands for. */
  mixed?: boolean;
  onChange: (checked: boolean) => void;
}

export function Checkbox({ label, hideLabel, hint, checked, mixed, onChange, ...rest }: CheckboxProps) {
  const control = useRef<HTMLInputElement>(null);
  const id = useUid("c");
  useEffect(() => {
    if (control.current) control.current.indeterminate = mixed === true;
  }, [mixed]);
  return (
    <div class="choice">
      <label>
        <input
          {...(rest as object)}
          ref={control}
          type="checkbox"
          checked={checked}
          aria-describedby={hint ? id : undefined}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <span class={hideLabel ? "seen-by-readers" : undefined}>{label}</span>
      </label>
      {hint && (
        <div class="field__hint" id={id}>
          {hint}
        </div>
      )}
    </div>
  );
}

/** On or off, at once: no "save" afterwards. */
export function Switch({ label, hint, checked, onChange, disabled, hideLabel }: Omit<CheckboxProps, "mixed">) {
  const id = useUid("s");
  return (
    <div class="choice choice--switch">
      <label>
        <input
          type="checkbox"
          role="switch"
          class="switch"
          checked={checked}
          disabled={disabled}
          aria-describedby={hint ? id : undefined}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <span class={hideLabel ? "seen-by-readers" : undefined}>{label}</span>
      </label>
      {hint && (
        <div class="field__hint" id={id}>
          {hint}
        </div>
      )}
    </div>
  );
}

export interface SliderProps {
  label: string;
  hint?: ComponentChildren;
  /** What can be chosen, from the least to the most. */
  steps: readonly number[];
  /** One of the steps; another number shows at the step nearest to it. */
  value: number;
  /** A number as people read it. */
  show: (value: number) => string;
  onChange: (value: number) => void;
}

/** One of a few numbers, by drag or arrow keys: where trying out matters more than the exact number. */
export function Slider({ label, hint, steps, value, show, onChange }: SliderProps) {
  const id = useUid("r");
  const at = steps.reduce((best, step, index) => (Math.abs(step - value) < Math.abs((steps[best] ?? 0) - value) ? index : best), 0);
  return (
    <div class="field">
      <div class="slider__head">
        <label class="field__label" for={id}>
          {label}
        </label>
        <output class="numbers" for={id}>
          {show(value)}
        </output>
      </div>
      <input
        id={id}
        type="range"
        class="slider"
        min="0"
        max={steps.length - 1}
        step="1"
        value={at}
        aria-valuetext={show(value)}
        aria-describedby={hint ? `${id}-h` : undefined}
        onInput={(event) => onChange(steps[Number(event.currentTarget.value)] ?? value)}
      />
      {hint && (
        <div class="field__hint" id={`${id}-h`}>
          {hint}
        </div>
      )}
    </div>
  );
}

export interface RadioGroupProps<V extends string> {
  label: string;
  hideLabel?: boolean;
  value: V;
  options: readonly (Option<V> & { disabled?: boolean })[];
  onChange: (value: V) => void;
  /** As cards, where the choice is important and needs explaining. */
  cards?: boolean;
}

export function RadioGroup<V extends string>({ label, hideLabel, value, options, onChange, cards }: RadioGroupProps<V>) {
  const name = useUid("r");
  return (
    <fieldset class={classes("radios", cards && "radios--cards")}>
      <legend class={hideLabel ? "seen-by-readers" : "field__label"}>{label}</legend>
      {options.map((option) => (
        <label key={option.value} class="radio">
          <input type="radio" name={name} value={option.value} checked={option.value === value} disabled={option.disabled} onChange={() => onChange(option.value)} />
          <span>
            <span class="radio__label">{option.label}</span>
            {option.hint && <span class="field__hint">{option.hint}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export interface CheckboxGroupProps<V extends string> extends Pick<RadioGroupProps<V>, "label" | "options"> {
  /** What it is about, below the label. */
  lead?: ComponentChildren;
  value: readonly V[];
  onChange: (value: V[]) => void;
}

/** Any of a few. */
export function CheckboxGroup<V extends string>({ label, lead, value, options, onChange }: CheckboxGroupProps<V>) {
  return (
    <fieldset class="radios">
      <legend class="field__label">{label}</legend>
      {lead && <p class="muted small">{lead}</p>}
      {options.map((option) => (
        <Checkbox
          key={option.value}
          label={option.label}
          hint={option.hint}
          disabled={option.disabled}
          checked={value.includes(option.value)}
          onChange={(on) => onChange(on ? [...value, option.value] : value.filter((each) => each !== option.value))}
        />
      ))}
    </fieldset>
  );
}

/** A few ways to see one thing, side by side: "chart | table". */
export function Segments<V extends string>({ label, value, options, onChange }: Omit<RadioGroupProps<V>, "cards">) {
  const name = useUid("g");
  return (
    <fieldset class="segments">
      <legend class="seen-by-readers">{label}</legend>
      {options.map((option) => (
        <label key={option.value} class="segments__one">
          <input type="radio" name={name} class="seen-by-readers" checked={option.value === value} onChange={() => onChange(option.value)} />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** A day and time in the reader's zone; the value is RFC 3339 in UTC, or empty. */
export function DateTime({ value, onChange, min, ...field }: FieldProps & { value: string; onChange: (value: string) => void; min?: string }) {
  return (
    <Field {...field}>
      {(ids) => (
        <div class="input">
          <input
            {...ids}
            type="datetime-local"
            value={local(value)}
            min={min ? local(min) : undefined}
            onChange={(event) => {
              const chosen = event.currentTarget.value;
              onChange(chosen ? new Date(chosen).toISOString() : "");
            }}
          />
        </div>
      )}
    </Field>
  );
}

function local(value: string): string {
  if (!value) return "";
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export interface TagsProps extends FieldProps {
  value: readonly string[];
  onChange: (value: string[]) => void;
  /** Tags that are used elsewhere already. */
  known?: readonly string[];
  placeholder?: string;
}

/** Several short texts: Enter or a comma takes one, Backspace removes the last. */
export function Tags({ label, hideLabel, hint, error, optional, value, onChange, known = [], placeholder }: TagsProps) {
  const [text, setText] = useState("");
  const list = useUid("d");
  const add = (): void => {
    const found = text.split(",").map((each) => each.trim()).filter((each) => each && !value.includes(each));
    if (found.length) onChange([...value, ...new Set(found)]);
    setText("");
  };
  return (
    <Field {...{ label, hideLabel, hint, error, optional }}>
      {(ids) => (
        <div class="input tags">
          {value.map((tag) => (
            <Badge key={tag} onRemove={() => onChange(value.filter((each) => each !== tag))} removeLabel={`Remove ${tag}`}>
              {tag}
            </Badge>
          ))}
          <input
            {...ids}
            type="text"
            dir="auto"
            list={list}
            autocomplete="off"
            placeholder={value.length ? undefined : placeholder}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onBlur={add}
            onKeyDown={(event) => {
              if ((event.key === "Enter" && text) || event.key === ",") {
                event.preventDefault();
                add();
              } else if (event.key === "Backspace" && !text && value.length) onChange(value.slice(0, -1));
            }}
          />
          <datalist id={list}>
            {known
              .filter((tag) => !value.includes(tag))
              .map((tag) => (
                <option key={tag} value={tag} />
              ))}
          </datalist>
        </div>
      )}
    </Field>
  );
}

/** A form: `onSubmit` may give a promise. Enter in any field submits it. */
export function Form({ onSubmit, children, label }: { onSubmit: () => unknown; children: ComponentChildren; label?: string }) {
  return (
    <form
      class="form"
      aria-label={label}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void onSubmit();
      }}
    >
      {children}
    </form>
  );
}

/** The buttons at a form's end. */
export function FormActions({ children }: { children: ComponentChildren }) {
  return <div class="form__actions">{children}</div>;
}

/** Files by drag or by choice. */
export function FileDrop({ label, hint, accept, multiple, onFiles, disabled }: { label: string; hint?: ComponentChildren; accept?: string; multiple?: boolean; onFiles: (files: File[]) => void; disabled?: boolean }) {
  const [over, setOver] = useState(false);
  const id = useUid("x");
  return (
    <div
      class={classes("drop", over && "drop--over", disabled && "drop--off")}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(!disabled);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const files = [...(event.dataTransfer?.files ?? [])];
        if (files.length && !disabled) onFiles(multiple ? files : files.slice(0, 1));
      }}
    >
      <Icon name="upload" size={28} />
      <label for={id}>
        <strong>{label}</strong>
      </label>
      {hint && <div class="muted small">{hint}</div>}
      <input
        id={id}
        type="file"
        accept={accept}
        multiple={multiple}
        disabled={disabled}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = "";
          if (files.length) onFiles(files);
        }}
      />
    </div>
  );
}
