/** What the server says about a rollout, with its times in the reader's zone. */
import { Time } from "../parts";
import { cutAtTimes } from "./rollout";

export function Reason({ children }: { children: string }) {
  return (
    <span dir="auto">
      {cutAtTimes(children).map((part, index) => (index % 2 ? <Time key={index} at={part} absolute /> : part))}
    </span>
  );
}
