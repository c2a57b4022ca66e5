"""A call of each kind by the client that openapi-generator makes of the description; the argument is its folder."""

import importlib
import os
import pkgutil
import sys

sys.path.insert(0, sys.argv[1])

import leadscore_client as c
from leadscore_client import api, models
from leadscore_client.exceptions import ApiException

# It imports what is used and no more: every part must be sound.
for package in (api, models):
    for part in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{part.name}")

client = c.ApiClient(c.Configuration(host=os.environ["HOST"], access_token=os.environ["ADMIN_KEY"]))


def event(id, type):
    return c.NewEvent(id=id, type=type, lead=c.NewEventLead(user_id="jane"))


# Events: one, several.
ingestion = c.IngestionApi(client)
one = ingestion.send_events(c.EventOrEvents(event("1", "demo_requested")), var_return="leads")
assert one.leads[0].stage == c.Stage.MQL, one
both = ingestion.send_events(c.EventOrEvents([event("1", "demo_requested"), event("2", "page_viewed")]))
assert (both.accepted, both.duplicates) == (1, 1), both

# Leads: read and listed, with choices and pages.
leads = c.LeadsApi(client)
jane = leads.list_leads(limit=1)
assert (len(jane.data), jane.has_more) == (1, False), jane
kinds = {type(entry.actual_instance) for entry in leads.get_timeline(jane.data[0].id).data}
assert c.TimelineEntryEvent in kinds, kinds

# Models, as they are and as a document.
live = c.ModelsApi(client).list_models().data[0]
assert c.ModelsApi(client).check_model(live.document).valid

# A failure is a problem.
try:
    leads.get_lead("00000000-0000-7000-8000-000000000000")
    raise AssertionError("there is no such lead")
except ApiException as error:
    assert error.status == 404, error
    assert c.Problem.from_json(error.body).code == c.ProblemCode.NOT_FOUND, error.body
