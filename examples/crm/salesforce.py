"""The adapter for Salesforce's leads: the mapping of fields, reading and writing."""

from urllib.parse import quote

from common import Record, company, names

VERSION = "/services/data/v62.0"
# Salesforce's field: our attribute. Leads get these attributes from Salesforce.
ATTRIBUTES = {
    "FirstName": "first_name",
    "LastName": "last_name",
    "Title": "title",
    "Phone": "phone",
    "Status": "lead_status",
    "OwnerId": "owner",
}
# Salesforce's field: part of our attribute `company`.
COMPANY = {"Company": "name", "NumberOfEmployees": "employees", "Industry": "industry"}
# Salesforce's field: the channel on which the person refuses contact.
REFUSED = {"HasOptedOutOfEmail": "email", "DoNotCall": "phone"}
# Our band: Salesforce's rating.
RATINGS = {"hot": "Hot", "warm": "Warm", "cold": "Cold"}


class Crm:
    """The leads of one organisation."""

    name = "salesforce"
    at_once = 200

    def __init__(self, api, external_id=None):
        self.api, self.external_id = api, external_id

    def changed(self, since):
        """Yields pages of what changed since an instant, oldest first: the leads, and pairs of merged leads."""
        fields = ["Id", "Email", "SystemModstamp", "IsDeleted", "MasterRecordId", "IsConverted", *COMPANY, *ATTRIBUTES]
        fields += [self.external_id] if self.external_id else []
        newer = f" WHERE SystemModstamp >= {since}" if since else ""
        query = f"SELECT {', '.join(fields)} FROM Lead{newer} ORDER BY SystemModstamp, Id"
        path = f"{VERSION}/queryAll?q={quote(query)}"
        while path:
            found = self.api.call("GET", path)
            merged = [(one["Id"], one["MasterRecordId"]) for one in found["records"] if one["MasterRecordId"]]
            yield [self._record(one) for one in found["records"] if not one["MasterRecordId"]], merged
            path = found.get("nextRecordsUrl")

    def _record(self, lead):
        at = lead["SystemModstamp"].replace("+0000", "Z")
        if lead["IsDeleted"]:
            return Record(lead["Id"], at, deleted=True)
        traits = {ours: lead[theirs] for theirs, ours in ATTRIBUTES.items()}
        traits["company"] = of_company(lead) or None
        traits["crm_converted"] = lead["IsConverted"] or None
        return Record(lead["Id"], at, lead["Email"], lead.get(self.external_id), traits)

    def standing(self, lead, seen):
        """Returns the fields with a lead's score and stage. A refusal is never removed: others may have set it."""
        values = {
            "Leadscore_Id__c": lead["id"],
            "Leadscore_Score__c": lead["score"],
            "Leadscore_Grade__c": lead["grade"],
            "Leadscore_Band__c": lead["band"],
            "Leadscore_Stage__c": lead["stage"],
            "Rating": RATINGS.get(lead["band"]),
        }
        consent = lead["consent"]
        for field, channel in REFUSED.items():
            state = consent["channels"].get(channel, {}).get("state")
            if consent["do_not_contact"] or state in ("withdrawn", "complained"):
                values[field] = True
        return values

    def filled(self, lead):
        """Returns the fields of a new lead. Salesforce requires a last name and a company."""
        profile, (mailbox, domain) = lead["profile"], lead["email"].rsplit("@", 1)
        first, last = names(profile)
        name, employees, industry = company(profile)
        values = {"Email": lead["email"], "FirstName": first, "LastName": last or mailbox, "Company": name or domain}
        values.update(Title=profile.get("title"), Phone=profile.get("phone"))
        values.update(NumberOfEmployees=employees, Industry=industry)
        return {theirs: value for theirs, value in values.items() if value is not None}

    def traits(self, values):
        """Returns the attributes that Salesforce will give after these fields are written."""
        traits = {ATTRIBUTES[theirs]: value for theirs, value in values.items() if theirs in ATTRIBUTES}
        return {**traits, "company": of_company(values)} if of_company(values) else traits

    def update(self, changes):
        """Writes fields of leads, given as (id, values). Returns the ids of the leads that were written."""
        records = [{"attributes": {"type": "Lead"}, "id": id, **values} for id, values in changes]
        done = self.api.call("PATCH", f"{VERSION}/composite/sobjects", {"allOrNone": False, "records": records})
        return {one["id"] for one in done if one["success"]}

    def create(self, wanted):
        """Creates or updates leads by our id, given as (lead, values). Returns Salesforce's ids by our ids."""
        records = [{"attributes": {"type": "Lead"}, **values} for _, values in wanted]
        path = f"{VERSION}/composite/sobjects/Lead/Leadscore_Id__c"
        done = self.api.call("PATCH", path, {"allOrNone": False, "records": records})
        return {lead["id"]: one["id"] for (lead, _), one in zip(wanted, done) if one["success"]}


def of_company(fields):
    """Returns what the fields say about the lead's company."""
    return {ours: fields[theirs] for theirs, ours in COMPANY.items() if fields.get(theirs) is not None}
