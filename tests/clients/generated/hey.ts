// A call of each kind by the client that @hey-api/openapi-ts makes of the description.

import assert from "node:assert/strict";
import { client } from "./hey/client.gen.js";
import * as api from "./hey/index.js";

client.setConfig({ baseUrl: process.env.HOST!, auth: process.env.ADMIN_KEY!, throwOnError: true });

const event = (id: string, type: string): api.NewEvent => ({ id, type, lead: { user_id: "jane" } });

// Events: one, several.
const one = await api.sendEvents({ throwOnError: true, query: { return: "leads" }, body: event("1", "demo_requested") });
assert.equal(one.data.leads?.[0]?.stage, "mql");
const several = await api.sendEvents({
  throwOnError: true,
  body: [event("1", "demo_requested"), event("2", "page_viewed")],
});
assert.deepEqual([several.data.accepted, several.data.duplicates], [1, 1]);

// Leads: written, read again, listed page by page.
const jane = { by: "external_id", value: "jane" } as const;
const written = await api.upsertLeadBy({
  throwOnError: true,
  path: jane,
  headers: { "Idempotency-Key": "first" },
  body: { email: "jane@acme.example", traits: { title: "VP Sales" } },
});
assert.deepEqual([written.data.status, written.data.profile.title], ["updated", "VP Sales"]);
const lead = await api.getLeadBy({ throwOnError: true, path: jane });
const path = { id: lead.data.id };
const same = await api.getLead({ path, headers: { "If-None-Match": lead.response.headers.get("ETag")! }, throwOnError: false });
assert.equal(same.response?.status, 304);
await api.upsertLead({ throwOnError: true, body: { user_id: "bob", traits: { title: "Intern" } } });
const batch = await api.upsertLeads({ throwOnError: true, body: { leads: [{ user_id: "eve" }, { user_id: "bob" }] } });
assert.deepEqual(batch.data.results.map((result) => result.status), ["created", "unchanged"]);
const names: (string | null | undefined)[] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const page = await api.listLeads({ throwOnError: true, query: { limit: 2, cursor: cursor ?? undefined } });
  names.push(...page.data.data.map((row) => row.user_id));
  cursor = page.data.next_cursor ?? null;
}
assert.deepEqual(names.sort(), ["bob", "eve", "jane"]);

// What a score is made of, and what has happened.
const receipt = await api.getReceipt({ throwOnError: true, path });
assert.equal(receipt.data.receipt.lines.reduce((sum, line) => sum + line.points, 0), receipt.data.score * 1000);
const timeline = await api.getTimeline({ throwOnError: true, path });
const types = timeline.data.data.flatMap((entry) => (entry.kind === "event" ? [entry.data.type] : []));
assert.ok(types.includes("demo_requested"), JSON.stringify(timeline.data));

// Sales: a queue, a claim, an answer to an offer.
const queue = { name: "inbound" };
await api.replaceQueue({ throwOnError: true, path: queue, body: { tiers: [{ name: "mql", when: { stage: ["mql"] } }] } });
const claim = await api.claimNextLead({ throwOnError: true, path: queue, body: { rep: "ann" } });
assert.ok(claim.data);
assert.equal(claim.data.lead_id, path.id);
await api.releaseClaim({ throwOnError: true, path: { id: claim.data.id }, body: { token: claim.data.token } });
const offers = await api.listHandoffs({ throwOnError: true, query: { lead_id: path.id } });
const accepted = await api.acceptHandoff({ throwOnError: true, path: { id: offers.data.data[0]!.id }, body: { rep: "ann" } });
assert.equal(accepted.data.state, "accepted");
await api.replaceQualification({
  throwOnError: true,
  path,
  body: { framework: "bant", answers: { need: { answer: "no" } } },
});

// The feed, models, webhooks.
const changes = await api.listChanges({ throwOnError: true, query: { limit: 500 } });
assert.ok(changes.data.data.some((change) => change.type === "handoff.accepted"));
const models = await api.listModels({ throwOnError: true });
const { document } = models.data.data[0]!;
const checked = await api.checkModel({ throwOnError: true, body: document });
assert.equal(checked.data.valid, true);
const evaluated = await api.evaluateModel({ throwOnError: true, body: { model: document, profile: { title: "CEO" } } });
assert.equal(typeof evaluated.data.score, "number");
const hook = await api.createWebhook({
  throwOnError: true,
  body: { url: "https://hooks.example/in", events: ["lead.stage_changed"] },
});
assert.match(hook.data.secret, /^whsec_/);
await api.deleteWebhook({ throwOnError: true, path: { id: hook.data.id } });

// A failure is typed too.
const failed = await api.getLead({ path: { id: "00000000-0000-0000-0000-000000000000" }, throwOnError: false });
assert.equal(failed.error?.code, "not_found");
await api.eraseLead({ throwOnError: true, path });
console.log("all calls were answered");
