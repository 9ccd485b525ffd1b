import assert from "node:assert/strict";
import { atRest, type SessionSnapshot } from "../../domain/snapshot.ts";
import { generateQr, WHATSAPP_QR_LIFE } from "../../domain/qr.ts";
import { createSession, updateSession } from "../../domain/session.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { SessionMeter } from "../../runtime/session_meter.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

Deno.test("SessionMeter measures the time to a QR, not how far the wall clock was set meanwhile", async () => {
  const clock = new DrivenClock();
  const metrics = createMetrics();
  const meter = new SessionMeter(metrics, () => clock.steady());
  const rest = atRest(createSession("sender_1", clock.now()), "none");
  const pairing: SessionSnapshot = {
    ...rest,
    pairing: { kind: "showing", deadline: clock.steady() + 20_000 },
  };
  meter.observe(rest, pairing);
  clock.advance(750);
  clock.setWall(-3_600_000);
  const qr = generateQr("data:image/png;base64,AA==", 0, clock.now(), WHATSAPP_QR_LIFE);
  const session = updateSession(pairing.session, clock.now(), { status: "qr_required", qr, lastError: null });
  meter.observe(pairing, { ...pairing, session });
  const { values } = await metrics.timeToQr.get();
  const valueOf = (end: string) => values.find(({ metricName }) => metricName?.endsWith(end))?.value;
  assert.deepEqual([valueOf("_sum"), valueOf("_count")], [0.75, 1]);
});
