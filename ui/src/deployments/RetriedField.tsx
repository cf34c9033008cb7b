/** Which devices of an earlier deployment are updated again, by their results there. */
import { format } from "../app/format";
import { CheckboxGroup } from "../parts";
import { DEVICE_STATUSES, RETRIED } from "./states";
import type { Deployment, RetriedStatus } from "./types";

interface Props {
  parent: Deployment;
  value: readonly RetriedStatus[];
  onChange: (statuses: RetriedStatus[]) => void;
}

export function RetriedField({ parent, value, onChange }: Props) {
  const numbers = parent.statistics.status;
  return (
    <CheckboxGroup
      label="Which devices are updated again?"
      lead={`By their result in ${parent.name}${parent.status === "finished" ? "" : " so far"}`}
      value={value}
      options={RETRIED.filter((status) => numbers[status] || value.includes(status)).map((status) => ({
        value: status,
        label: DEVICE_STATUSES[status].label,
        hint: format.count(numbers[status] ?? 0, "device"),
      }))}
      onChange={onChange}
    />
  );
}
