/** Typing that takes effect a moment after the last key: searches as one types. */
import { useEffect, useRef, useState } from "preact/hooks";

/** `value`, once it has stayed the same for a moment: for calls that depend on what is being typed. */
export function useSettled<T>(value: T, wait: number): T {
  const [settled, setSettled] = useState(value);
  const key = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), wait);
    return () => clearTimeout(timer);
  }, [key]);
  return settled;
}

/** `value` follows each key at once; `apply` is called when nothing was typed for a moment. */
export function useLater(applied: string, apply: (value: string) => void, wait = 200): { value: string; change: (value: string) => void } {
  const [value, setValue] = useState(applied);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const last = useRef(applied);
  useEffect(() => {
    // Changed by something else: a link, the back button, "show all".
    if (applied !== last.current) {
      last.current = applied;
      setValue(applied);
    }
  }, [applied]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    value,
    change: (next) => {
      setValue(next);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        last.current = next;
        apply(next);
      }, wait);
    },
  };
}
