"""A call of each kind by the client that openapi-python-client makes of the description; the argument is its folder."""

import os
import sys

sys.path.insert(0, sys.argv[1])

from leadscore_client import AuthenticatedClient
from leadscore_client import models as m
from leadscore_client.api.changes import list_changes
from leadscore_client.api.handoffs import accept_handoff, list_handoffs, replace_qualification
from leadscore_client.api.ingestion import send_events
from leadscore_client.api.leads import (
    erase_lead,
    get_lead,
    get_lead_by,
    get_receipt,
    get_timeline,
    list_leads,
    upsert_lead,
    upsert_lead_by,
    upsert_leads,
)
from leadscore_client.api.models import check_model, evaluate_model, list_models
from leadscore_client.api.queues import claim_next_lead, release_claim, replace_queue
from leadscore_client.api.webhooks import create_webhook, delete_webhook
from leadscore_client.types import UNSET

client = AuthenticatedClient(base_url=os.environ["HOST"], token=os.environ["ADMIN_KEY"], raise_on_unexpected_status=True)


def got(answer, kind):
    assert isinstance(answer, kind), answer
    return answer


def event(id, type):
    return m.NewEvent(id=id, type_=type, lead=m.NewEventLead(user_id="jane"))


def traits(**values):
    made = m.LeadBodyTraits()
    made.additional_properties = values
    return made


# Events: one, several.
one = got(send_events.sync(client=client, body=event("1", "demo_requested"), return_="leads"), m.EventsAnswer)
assert one.leads[0].stage == m.Stage.MQL, one
several = got(
    send_events.sync(client=client, body=[event("1", "demo_requested"), event("2", "page_viewed")]), m.EventsAnswer
)
assert (several.accepted, several.duplicates) == (1, 1)

# Leads: written, read again, listed page by page.
jane = (m.GetLeadByBy.EXTERNAL_ID, "jane")
written = got(
    upsert_lead_by.sync(
        m.UpsertLeadByBy.EXTERNAL_ID,
        "jane",
        client=client,
        body=m.LeadBody(email="jane@acme.example", traits=traits(title="VP Sales")),
        idempotency_key="first",
    ),
    m.UpsertedLead,
)
assert written.profile.additional_properties["title"] == "VP Sales"
read = get_lead_by.sync_detailed(*jane, client=client)
id = got(read.parsed, m.Lead).id
same = get_lead.sync_detailed(id, client=client, if_none_match=read.headers["ETag"])
assert same.status_code == 304, same
got(upsert_lead.sync(client=client, body=m.LeadBody(user_id="bob", traits=traits(title="Intern"))), m.UpsertedLead)
said = m.BatchBody(leads=[m.LeadBody(user_id="eve"), m.LeadBody(user_id="bob")])
batch = got(upsert_leads.sync(client=client, body=said), m.BatchAnswer)
assert [result.status.value for result in batch.results] == ["created", "unchanged"], batch
names, cursor = [], UNSET
while cursor is not None:
    page = got(list_leads.sync(client=client, limit=2, cursor=cursor), m.LeadPage)
    names += [lead.user_id for lead in page.data]
    cursor = page.next_cursor
assert sorted(names) == ["bob", "eve", "jane"], names

# What a score is made of, and what has happened.
receipt = got(get_receipt.sync(id, client=client), m.ReceiptView)
assert sum(line.points for line in receipt.receipt.lines) == receipt.score * 1000
timeline = got(get_timeline.sync(id, client=client), m.TimelineEntryPage)
types = [entry.data.type_ for entry in timeline.data if isinstance(entry, m.TimelineEntryEvent)]
assert "demo_requested" in types, timeline
assert any(isinstance(entry, m.TimelineEntryHandoffOffered) for entry in timeline.data), timeline

# Sales: a queue, a claim, an answer to an offer.
tier = m.QueueTier(name="mql", when=m.QueueSelection(stage=[m.Stage.MQL]))
got(replace_queue.sync("inbound", client=client, body=m.QueueDocument(tiers=[tier])), m.Queue)
claim = got(claim_next_lead.sync("inbound", client=client, body=m.AskForNext(rep="ann")), m.Claim)
assert claim.lead_id == id
got(release_claim.sync(claim.id, client=client, body=m.Release(token=claim.token)), m.Claim)
offers = got(list_handoffs.sync(client=client, lead_id=id), m.HandoffPage)
accepted = got(accept_handoff.sync(offers.data[0].id, client=client, body=m.AcceptHandoff(rep="ann")), m.Handoff)
assert accepted.state == m.HandoffState.ACCEPTED
answers = m.FindingsAnswers()
answers.additional_properties = {"need": m.Finding(answer=m.CriterionAnswer.NO)}
findings = m.Findings(framework=m.Framework.BANT, answers=answers)
got(replace_qualification.sync(id, client=client, body=findings), m.Qualification)

# The feed, models, webhooks.
changes = got(list_changes.sync(client=client, limit=500), m.Changes)
assert "handoff.accepted" in [change.type_.value for change in changes.data]
model = got(list_models.sync(client=client), m.ModelList).data[0].document
assert got(check_model.sync(client=client, body=model), m.Checked).valid
profile = m.EvaluateProfile()
profile.additional_properties = {"title": "CEO"}
got(evaluate_model.sync(client=client, body=m.Evaluate(model=model, profile=profile)), m.Evaluated)
wanted = m.CreateWebhook(url="https://hooks.example/in", events=[m.ChangeType.LEAD_STAGE_CHANGED])
hook = got(create_webhook.sync(client=client, body=wanted), m.WebhookWithSecret)
assert hook.secret.startswith("whsec_")
assert delete_webhook.sync_detailed(hook.id, client=client).status_code == 204

# A failure is typed too.
failed = got(get_lead.sync("00000000-0000-0000-0000-000000000000", client=client), m.Problem)
assert failed.code == m.ProblemCode.NOT_FOUND
assert erase_lead.sync_detailed(id, client=client).status_code == 204
print("all calls were answered")
