/** Some devices by their names, which are fetched when this is shown. */
import { pathTo } from "../app/router";
import { can } from "../app/session";
import { Link, Name } from "../parts";
import { useNames } from "./names";

export function DeviceLinks({ ids }: { ids: readonly string[] }) {
  const names = useNames(ids);
  return (
    <span class="row gap-3">
      {ids.map((id) => {
        const name = <Name>{names.get(id) ?? id}</Name>;
        return can("devices:read") ? <Link key={id} to={pathTo("devices", id)}>{name}</Link> : <span key={id}>{name}</span>;
      })}
    </span>
  );
}
