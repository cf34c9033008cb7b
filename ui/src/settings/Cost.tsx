/** What a fleet costs a month on AWS, and what lowers it: an estimate that follows the sliders. */
import { useEffect, useState } from "preact/hooks";
import { format, titled } from "../app/format";
import { useApi } from "../app/resource";
import { place, setQuery, useQuery } from "../app/router";
import { session } from "../app/session";
import { Banner, Card, Grid, Input, Loaded, Meter, Row, Select, Slider, Stack, Stat } from "../parts";
import { type Bill, CONNECTED, COST, devicesOf, type Estimate, LEVERS, money } from "./estimate";
import { SettingsPage } from "./SettingsPage";

export default function Cost() {
  const own = session.value?.tenant.device_count ?? 0;
  const [typed, type] = useQuery("devices", String(own || 1000));
  const [share] = useQuery("connected", "0");
  const [gateway] = useQuery("gateway");
  const devices = devicesOf(typed);
  const chosen = LEVERS.map((lever) => ({ ...lever, value: Number(place.value.query[lever.id] ?? lever.usual) || 0 }));
  const query = useSettled({
    devices: devices ?? (own || 1000),
    connected: Math.round(((devices ?? 0) * (Number(share) || 0)) / 100),
    ...Object.fromEntries(chosen.map(({ id, value }) => [id, value])),
  });
  const estimate = useApi({ path: COST, query });
  return (
    <SettingsPage at="cost" title="Cost" lead="What a fleet costs a month on AWS, and what lowers the cost.">
      <Stack>
        <Banner title="An estimate, not a bill">
          {estimate.data
            ? `List prices of ${estimate.data.region} as of ${estimate.data.date}, without free tier and discounts, for an installation that serves this fleet alone. Your bill is in the billing console of AWS.`
            : "From list prices, without free tier and discounts."}
        </Banner>
        <Grid min="l">
          <Stack>
            <Card title="The fleet" lead="Change these to see their effect on the cost.">
              <Stack>
                <Input
                  label="Accepted devices"
                  type="number"
                  min="1"
                  value={typed}
                  onInput={(value) => type(value, { replace: true })}
                  error={devices === undefined && "Enter a whole number from 1 to 100,000,000."}
                  hint={own > 0 && `Your organization has ${format.number(own)}.`}
                />
                {chosen.map(({ id, label, hint, steps, usual, value, show }) => (
                  <Slider key={id} label={label} hint={hint} steps={steps} value={value} show={show} onChange={(next) => setQuery({ [id]: next === usual ? "" : String(next) })} />
                ))}
                <Slider
                  label="Devices that stay connected for remote access"
                  steps={CONNECTED}
                  value={Number(share) || 0}
                  show={(percent) => format.percent(percent / 100)}
                  onChange={(next) => setQuery({ connected: next ? String(next) : "" })}
                />
              </Stack>
            </Card>
          </Stack>
          <Loaded from={estimate}>{(found) => <Result found={found} bill={found.bills.find((each) => each.gateway === gateway) ?? (found.bills[0] as Bill)} />}</Loaded>
        </Grid>
      </Stack>
    </SettingsPage>
  );
}

function Result({ found, bill }: { found: Estimate; bill: Bill }) {
  return (
    <Stack>
      <Card title="A month">
        <Stack>
          <Select
            label="Gateway"
            value={bill.gateway}
            options={found.bills.map((each) => ({ value: each.gateway, label: `${titled(each.gateway)}: ${money(each.dollars)}` }))}
            onChange={(gateway) => setQuery({ gateway: gateway === found.bills[0]?.gateway ? "" : gateway })}
          />
          <Grid min="xs">
            <Stat label="The whole fleet" value={money(bill.dollars)} />
            <Stat label="Each device" value={money(bill.dollars / found.levers.devices)} />
            <Stat label="Calls" value={format.short(found.requests)} />
          </Grid>
          {bill.parts.map((part) => (
            <Meter key={part.name} calm label={titled(part.name)} value={part.dollars} max={bill.dollars} show={money(part.dollars)} />
          ))}
        </Stack>
      </Card>
      <Card title="What lowers it" lead="Savings a month, each change by itself.">
        {bill.savings.length ? (
          <Stack gap={2}>
            {bill.savings.map((each) => (
              <Row key={each.part} justify="between" align="baseline">
                <span>
                  {titled(each.part)}: {each.lever}
                </span>
                <strong class="numbers">{money(each.dollars)}</strong>
              </Row>
            ))}
          </Stack>
        ) : (
          <p class="muted">Nothing else in this model.</p>
        )}
      </Card>
    </Stack>
  );
}

/** What was chosen once nothing changed for a moment: a drag over ten steps is one call. */
function useSettled<T extends object>(value: T): T {
  const text = JSON.stringify(value);
  const [settled, settle] = useState(text);
  useEffect(() => {
    if (text === settled) return;
    const timer = setTimeout(() => settle(text), 150);
    return () => clearTimeout(timer);
  }, [text, settled]);
  return JSON.parse(settled) as T;
}
