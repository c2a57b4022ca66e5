// A call of each kind by openapi-fetch, typed by what openapi-typescript makes of the description.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const client = createClient<paths>({
  baseUrl: process.env.HOST!,
  headers: { Authorization: `Bearer ${process.env.ADMIN_KEY}` },
});

type NewEvent = components["schemas"]["NewEvent"];
const event = (id: string, type: string): NewEvent => ({ id, type, lead: { user_id: "jane" } });

function got<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert.equal(answer.error, undefined, JSON.stringify(answer.error));
  assert.ok(answer.data !== undefined, `${answer.response.status} without a body`);
  return answer.data;
}

// Events: one, several, one a line.
const one = got(
  await client.POST("/v1/events", { params: { query: { return: "leads" } }, body: event("1", "demo_requested") }),
);
assert.equal(one.accepted, 1);
assert.equal(one.leads?.[0]?.stage, "mql");
const several = got(await client.POST("/v1/events", { body: [event("1", "demo_requested"), event("2", "page_viewed")] }));
assert.deepEqual([several.accepted, several.duplicates], [1, 1]);
const lines = ["3", "4"].map((id) => JSON.stringify(event(id, "page_viewed"))).join("\n");
const streamed = got(
  await client.POST("/v1/events", {
    headers: { "Content-Type": "application/x-ndjson" },
    body: lines,
    bodySerializer: (body) => body as string,
  }),
);
assert.equal(streamed.accepted, 2);

// Leads: written, read again, listed page by page.
const jane = { by: "external_id", value: "jane" } as const;
const written = got(
  await client.PUT("/v1/leads/by/{by}/{value}", {
    params: { path: jane, header: { "Idempotency-Key": "first" } },
    body: { email: "jane@acme.example", traits: { title: "VP Sales" } },
  }),
);
assert.deepEqual([written.status, written.profile.title], ["updated", "VP Sales"]);
const lead = await client.GET("/v1/leads/by/{by}/{value}", { params: { path: jane } });
const path = { id: got(lead).id };
const same = await client.GET("/v1/leads/{id}", {
  params: { path, header: { "If-None-Match": lead.response.headers.get("ETag")! } },
});
assert.equal(same.response.status, 304);
got(await client.POST("/v1/leads", { body: { user_id: "bob", traits: { title: "Intern" } } }));
const batch = got(await client.POST("/v1/leads/batch", { body: { leads: [{ user_id: "eve" }, { user_id: "bob" }] } }));
assert.deepEqual(batch.results.map((result) => result.status), ["created", "unchanged"]);
const names: (string | null | undefined)[] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const page = got(await client.GET("/v1/leads", { params: { query: { limit: 2, cursor: cursor ?? undefined } } }));
  names.push(...page.data.map((row) => row.user_id));
  cursor = page.next_cursor ?? null;
}
assert.deepEqual(names.sort(), ["bob", "eve", "jane"]);

// What a score is made of, and what has happened.
const receipt = got(await client.GET("/v1/leads/{id}/score", { params: { path } }));
assert.equal(receipt.receipt.lines.reduce((sum, line) => sum + line.points, 0), receipt.score * 1000);
const timeline = got(await client.GET("/v1/leads/{id}/timeline", { params: { path } }));
const types = timeline.data.flatMap((entry) => (entry.kind === "event" ? [entry.data.type] : []));
assert.ok(types.includes("demo_requested"), JSON.stringify(timeline));
assert.ok(timeline.data.some((entry) => entry.kind === "handoff_offered" && entry.data.score > 0));

// Sales: a queue, a claim, an answer to an offer.
const queue = { name: "inbound" };
got(
  await client.PUT("/v1/queues/{name}", {
    params: { path: queue },
    body: { tiers: [{ name: "mql", when: { stage: ["mql"] } }] },
  }),
);
const claim = got(await client.POST("/v1/queues/{name}/next", { params: { path: queue }, body: { rep: "ann" } }));
assert.equal(claim.lead_id, path.id);
got(await client.POST("/v1/claims/{id}/release", { params: { path: { id: claim.id } }, body: { token: claim.token } }));
const offers = got(await client.GET("/v1/handoffs", { params: { query: { lead_id: path.id } } }));
const offer = { id: offers.data[0]!.id };
const accepted = got(await client.POST("/v1/handoffs/{id}/accept", { params: { path: offer }, body: { rep: "ann" } }));
assert.equal(accepted.state, "accepted");
got(
  await client.PUT("/v1/leads/{id}/qualification", {
    params: { path },
    body: { framework: "bant", answers: { need: { answer: "no" } } },
  }),
);

// The feed, to its end.
const kinds: string[] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const page = got(await client.GET("/v1/changes", { params: { query: { limit: 3, cursor: cursor ?? undefined } } }));
  kinds.push(...page.data.map((change) => change.type));
  cursor = page.has_more ? page.next_cursor : null;
}
assert.ok(kinds.includes("handoff.accepted"), kinds.join());

// Models, webhooks, the policy.
const models = got(await client.GET("/v1/models"));
const { document } = models.data[0]!;
const checked = got(await client.POST("/v1/models/check", { body: document }));
assert.equal(checked.valid, true);
const evaluated = got(await client.POST("/v1/models/evaluate", { body: { model: document, profile: { title: "CEO" } } }));
assert.equal(typeof evaluated.score, "number");
const hook = got(
  await client.POST("/v1/webhooks", { body: { url: "https://hooks.example/in", events: ["lead.stage_changed"] } }),
);
assert.match(hook.secret, /^whsec_/);
const deleted = await client.DELETE("/v1/webhooks/{id}", { params: { path: { id: hook.id } } });
assert.equal(deleted.response.status, 204);
const policy = await client.GET("/v1/policy");
const { handoff } = got(policy).document;
const kept = got(
  await client.PUT("/v1/policy", {
    params: { header: { "If-Match": policy.response.headers.get("ETag")! } },
    body: { handoff: { ...handoff, sla: "8h" } },
  }),
);
assert.equal(kept.document.handoff?.sla, "8h");

// A failure is typed too.
const failed = await client.GET("/v1/leads/{id}", { params: { path: { id: "00000000-0000-0000-0000-000000000000" } } });
assert.equal(failed.error?.code, "not_found");
const rest = await client.DELETE("/v1/leads/{id}", { params: { path } });
assert.equal(rest.response.status, 204);
console.log("all calls were answered");
