"""The adapter for HubSpot's contacts: the mapping of properties, reading and writing."""

import re
from datetime import datetime

from common import Record, company, names

# HubSpot's property: our attribute. Leads get these attributes from HubSpot.
ATTRIBUTES = {
    "firstname": "first_name",
    "lastname": "last_name",
    "jobtitle": "title",
    "phone": "phone",
    "hs_lead_status": "lead_status",
    "lifecyclestage": "lifecycle_stage",
    "hubspot_owner_id": "owner",
}
# HubSpot's property: part of our attribute `company`.
COMPANY = {"company": "name", "numemployees": "employees", "industry": "industry"}
# Our stage: the lifecycle stage that the contact must have at least. HubSpot moves contacts only forward.
LEAST = {
    "mql": "marketingqualifiedlead",
    "sql": "salesqualifiedlead",
    "opportunity": "opportunity",
    "customer": "customer",
}
FORWARD = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]
# The most contacts that a search returns over all its pages.
MOST_FOUND = 10_000


class Crm:
    """The contacts of one portal."""

    name = "hubspot"
    at_once = 100

    def __init__(self, api, external_id=None):
        self.api, self.external_id = api, external_id

    def changed(self, since):
        """Yields pages of what changed since an instant, oldest first: the contacts, and pairs of merged contacts."""
        while True:
            reached, found = since, 0
            for page in self._search(since):
                records = [self._record(contact) for contact in page]
                reached, found = records[-1].at, found + len(records)
                yield records, [pair for contact in page for pair in merges(contact)]
            if found < MOST_FOUND:
                break
            if reached == since:
                raise RuntimeError(f"{MOST_FOUND} contacts or more changed at {since}")
            since = reached
        for page in self._pages("GET", "/crm/v3/objects/contacts?archived=true&limit=100"):
            yield [Record(contact["id"], contact["archivedAt"], deleted=True) for contact in page], []

    def _search(self, since):
        wanted = ["email", "lastmodifieddate", "hs_merged_object_ids", *ATTRIBUTES, *COMPANY]
        search = {
            "filterGroups": [],
            "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
            "properties": wanted + ([self.external_id] if self.external_id else []),
            "limit": 100,
        }
        if since:
            millis = int(datetime.fromisoformat(since.replace("Z", "+00:00")).timestamp() * 1000)
            newer = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(millis)}
            search["filterGroups"] = [{"filters": [newer]}]
        return self._pages("POST", "/crm/v3/objects/contacts/search", search)

    def _pages(self, method, path, search=None):
        following = ""
        while following is not None and (not search or int(search.get("after", 0)) < MOST_FOUND):
            found = self.api.call(method, path + following, search)
            if found["results"]:
                yield found["results"]
            after = found.get("paging", {}).get("next", {}).get("after")
            if search:
                search["after"] = after
            following = None if after is None else "" if search else f"&after={after}"

    def _record(self, contact):
        properties = contact["properties"]
        return Record(
            id=contact["id"],
            at=properties["lastmodifieddate"],
            email=properties.get("email") or None,
            external_id=properties.get(self.external_id) or None,
            traits={
                **{ours: properties.get(theirs) or None for theirs, ours in ATTRIBUTES.items()},
                "company": of_company(properties) or None,
            },
        )

    def standing(self, lead, seen):
        """Returns the properties with a lead's score and stage. `seen` is what was last seen in the contact."""
        values = {
            "leadscore": str(lead["score"]),
            "leadscore_grade": lead["grade"],
            "leadscore_band": lead["band"],
            "leadscore_stage": lead["stage"],
            "leadscore_id": lead["id"],
        }
        least, now = LEAST.get(lead["stage"]), seen.get("lifecycle_stage") or FORWARD[0]
        if least and now in FORWARD and FORWARD.index(now) < FORWARD.index(least):
            values["lifecyclestage"] = least
        return values

    def filled(self, lead):
        """Returns the properties of a new contact. Later, HubSpot's own values count."""
        profile = lead["profile"]
        first, last = names(profile)
        name, _, industry = company(profile)
        known = {"firstname": first, "lastname": last, "company": name, "industry": industry}
        known.update(jobtitle=profile.get("title"), phone=profile.get("phone"))
        return {theirs: str(value) for theirs, value in known.items() if value is not None}

    def traits(self, values):
        """Returns the attributes that HubSpot gives after these properties are written."""
        traits = {ATTRIBUTES[theirs]: value for theirs, value in values.items() if theirs in ATTRIBUTES}
        return {**traits, "company": of_company(values)} if of_company(values) else traits

    def update(self, changes):
        """Writes properties of contacts, given as (id, values). Returns the ids that were written."""
        inputs = [{"id": id, "properties": values} for id, values in changes]
        done = self.api.call("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": inputs})
        return {contact["id"] for contact in done["results"]}

    def create(self, wanted):
        """Creates contacts, given as (lead, values), or updates those with the address. Returns contact ids by lead ids."""
        inputs = [{"id": lead["email"], "idProperty": "email", "properties": values} for lead, values in wanted]
        done = self.api.call("POST", "/crm/v3/objects/contacts/batch/upsert", {"inputs": inputs})
        made = {contact["properties"]["email"].lower(): contact["id"] for contact in done["results"]}
        return {lead["id"]: made[lead["email"]] for lead, _ in wanted if lead["email"] in made}


def of_company(properties):
    """Returns what the properties say about the company. For a size such as `50-100`, the lower end counts."""
    said = {ours: properties[theirs] for theirs, ours in COMPANY.items() if properties.get(theirs)}
    if "employees" in said:
        digits = re.search(r"\d+", said.pop("employees").replace(",", ""))
        said.update({"employees": int(digits[0])} if digits else {})
    return said


def merges(contact):
    """Returns pairs of the contacts that were merged into this one, each with this one."""
    former = (contact["properties"].get("hs_merged_object_ids") or "").split(";")
    return [(id.strip(), contact["id"]) for id in former if id.strip() not in ("", contact["id"])]
