#!/usr/bin/env python3
"""Keeps the contacts of a CRM and the leads of Leadscore in step: `sync.py hubspot` or `sync.py salesforce`.

One run sends what changed in the CRM to Leadscore, and then the leads' scores and stages to the CRM. Start it every
minute, one run at a time. The script notes its progress after the data has arrived. If a run breaks off, the next run
continues, and sending something twice changes nothing. docs/crm.md lists the settings (environment variables) and the
mapping of fields.
"""

import argparse
import importlib
import json
import os
import sqlite3
import sys
from collections import Counter
from datetime import datetime, timedelta
from urllib.parse import quote

from common import Api, Refused

NEEDED = ("LEADSCORE_URL", "LEADSCORE_KEY", "CRM_URL", "CRM_TOKEN")
# The stages at which a lead that the CRM does not have is created there.
MADE_AT = {"mql", "sql", "opportunity", "customer"}
# Changes may become visible late in the CRM. So each run reads again this much time before the newest change seen.
OVERLAP = timedelta(minutes=5)
# How many leads one call sends.
AT_ONCE = 500


class State:
    """The script's memory: how far each side was read, and what was last seen in each record and written to it."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.executescript("""
            create table if not exists place (side text primary key, at text not null);
            create table if not exists merged (id text primary key);
            create table if not exists record (
                id text primary key, lead_id text not null, email text, seen text not null, written text not null);
            create index if not exists record_of_lead on record (lead_id);
            create index if not exists record_by_email on record (email);
        """)

    def place(self, side):
        row = self.db.execute("select at from place where side = ?", (side,)).fetchone()
        return row and row[0]

    def reached(self, side, at):
        with self.db:
            self.db.execute("insert or replace into place values (?, ?)", (side, at))

    def is_merged(self, id):
        return self.db.execute("select 1 from merged where id = ?", (id,)).fetchone() is not None

    def merge(self, former, lasting):
        with self.db:
            self.db.execute("insert or replace into merged values (?)", (former,))
            self.db.execute("delete from record where id = ?", (former,))

    def record(self, id):
        """Returns what was seen in a record, and what was written to it. None if the record is new."""
        row = self.db.execute("select seen, written from record where id = ?", (id,)).fetchone()
        return (json.loads(row[0]), json.loads(row[1])) if row else (None, {})

    def keep(self, id, lead_id, seen, written):
        row = (id, lead_id, (seen.get("email") or "").lower() or None, json.dumps(seen), json.dumps(written))
        with self.db:
            self.db.execute("insert or replace into record values (?, ?, ?, ?, ?)", row)

    def of_lead(self, lead):
        """Returns the id of a lead's record, or None."""
        row = self.db.execute(
            "select id from record where lead_id = ? or email = ? order by lead_id = ? desc, id limit 1",
            (lead["id"], lead["email"], lead["id"]),
        ).fetchone()
        return row and row[0]


class Sync:
    """One run of the sync."""

    def __init__(self, leadscore, crm, state):
        self.leadscore, self.crm, self.state = leadscore, crm, state
        self.done = Counter()

    def pull(self):
        """Sends what changed in the CRM to Leadscore."""
        newest = self.state.place("crm")
        for records, merges in self.crm.changed(earlier(newest)):
            for former, lasting in merges:
                self.merge(former, lasting)
            self.tell(records)
            live = [record.at for record in records if not record.deleted]
            newest = max([*live, newest or ""])
            if newest:
                self.state.reached("crm", newest)

    def merge(self, former, lasting):
        """Joins the leads of two records that were merged in the CRM."""
        if self.crm.external_id or self.state.is_merged(former):
            return
        self.leadscore.call("POST", "/v1/alias", {"previousId": self.user_id(former), "userId": self.user_id(lasting)})
        self.state.merge(former, lasting)
        self.done["merged"] += 1

    def tell(self, records):
        """Sends the news of these records to Leadscore."""
        items = [(record, item) for record in records if (item := self.news(record))]
        for some in parts(items, AT_ONCE):
            results = self.upsert([item for _, item in some])
            # If the address belongs to a lead with another user id, such as the product's, the news are for that
            # lead.
            disputed = [at for at, one in enumerate(results) if one.get("code") == "identity_conflict"]
            by_address = [{**some[at][1], "user_id": None} for at in disputed]
            for at, result in zip(disputed, self.upsert(by_address) if by_address else []):
                results[at] = result
            for (record, _), result in zip(some, results):
                self.done[result["status"]] += 1
                if result["status"] == "rejected":
                    print(f"{self.crm.name} {record.id}: {result['detail']}", file=sys.stderr)
                    continue
                seen, written = self.state.record(record.id)
                self.state.keep(record.id, result["lead_id"], {**(seen or {}), **says(record)}, written)

    def upsert(self, items):
        return self.leadscore.call("POST", "/v1/leads/batch", {"leads": items})["results"]

    def news(self, record):
        """Returns what is new in a record, as an item of a batch. None if nothing is new.

        The date of a change is the date of the whole record. So only changed attributes are sent: an unchanged one is
        older than the date, and may be older than what the person has told us since.
        """
        seen, _ = self.state.record(record.id)
        if record.deleted and seen is None:
            return None
        news = {name: value for name, value in says(record).items() if value != (seen or {}).get(name)}
        if seen is not None and not news:
            return None
        named = self.named(record)
        if not any(named.values()):
            return None
        news.pop("email", None)
        if "company" in news:
            news["company"] = self.company(record, (seen or {}).get("company") or {})
        return {**named, "traits": news, "occurred_at": record.at, "source": self.crm.name}

    def company(self, record, before):
        """Returns the CRM's company with the parts that others have set, because an upsert replaces it whole."""
        known = self.profile(record).get("company")
        others = {part: value for part, value in known.items() if part not in before} if isinstance(known, dict) else {}
        return {**others, **(record.traits["company"] or {})} or None

    def profile(self, record):
        """Returns the attributes of a record's lead. Empty if there is no lead yet."""
        named = self.named(record)
        for kind, name in (("external_id", named["user_id"]), ("email", named["email"])):
            try:
                if name:
                    return self.leadscore.call("GET", f"/v1/leads/by/{kind}/{quote(name, safe='')}")["profile"]
            except Refused as refused:
                # There is no such lead, or the text is no valid id.
                if refused.status not in (400, 404):
                    raise
        return {}

    def named(self, record):
        """Returns the user id and e-mail address by which Leadscore knows a record's lead."""
        user_id = record.external_id if self.crm.external_id else self.user_id(record.id)
        return {"user_id": user_id, "email": record.email}

    def user_id(self, id):
        return f"{self.crm.name}:{id}"

    def push(self):
        """Writes the scores and stages of changed leads to the CRM, or of all leads if the cursor is too old."""
        cursor = self.state.place("leadscore")
        while cursor:
            try:
                page = self.leadscore.call("GET", f"/v1/changes?limit=500&cursor={cursor}")
            except Refused as refused:
                if refused.status != 410:
                    raise
                break
            changed = dict.fromkeys(map(whose, page["data"]))
            self.write([lead for lead in map(self.lead, changed) if lead])
            cursor = page["resume_cursor"]
            self.state.reached("leadscore", cursor)
            if not page["has_more"]:
                return
        self.copy()

    def copy(self):
        """Writes the scores and stages of all leads. The cursor is taken first, so later changes come after it."""
        start = self.leadscore.call("GET", "/v1/changes?limit=1&cursor=now")["resume_cursor"]
        following = ""
        while following is not None:
            page = self.leadscore.call("GET", f"/v1/leads?limit=500&sort=created_at{following}")
            self.write(page["data"])
            following = f"&cursor={page['next_cursor']}" if page["has_more"] else None
        self.state.reached("leadscore", start)

    def lead(self, id):
        try:
            return self.leadscore.call("GET", f"/v1/leads/{id}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def write(self, leads):
        """Writes what is new to the CRM, and creates the records that are missing there."""
        updates, wanted = {}, []
        for lead in leads:
            id = self.state.of_lead(lead)
            if id is None:
                if lead["stage"] in MADE_AT and lead["email"]:
                    wanted.append((lead, {**self.crm.filled(lead), **self.crm.standing(lead, {})}))
                continue
            seen, written = self.state.record(id)
            if seen.get("crm_deleted") or seen.get("crm_converted"):
                continue
            standing = self.crm.standing(lead, seen).items()
            values = {name: value for name, value in standing if written.get(name) != value}
            if values:
                updates[id] = (lead, values)
        for some in parts(list(updates.items()), self.crm.at_once):
            arrived = self.crm.update([(id, values) for id, (_, values) in some])
            for id, (lead, values) in some:
                self.wrote(id, lead, values, id in arrived)
        for some in parts(wanted, self.crm.at_once):
            made = self.crm.create(some)
            for lead, values in some:
                self.made(made.get(lead["id"]), lead, values)

    def wrote(self, id, lead, values, arrived):
        if not arrived:
            print(f"{self.crm.name} {id}: the CRM did not accept the update", file=sys.stderr)
            self.done["not_written"] += 1
            return
        seen, written = self.state.record(id)
        # The update comes back as a change in the CRM. It is noted as seen, so that it is not sent to Leadscore
        # again.
        self.state.keep(id, lead["id"], {**(seen or {}), **self.crm.traits(values)}, {**written, **values})
        self.done["written"] += 1

    def made(self, id, lead, values):
        if id is None:
            return self.wrote(lead["email"], lead, values, False)
        if not self.crm.external_id and not lead["user_id"]:
            path = "/v1/leads/by/external_id/" + quote(self.user_id(id), safe="")
            self.leadscore.call("PUT", path, {"email": lead["email"], "source": self.crm.name})
        self.state.keep(id, lead["id"], {"email": lead["email"]}, {})
        return self.wrote(id, lead, values, True)


def whose(change):
    """Returns the lead to update after a change: for a merged lead, the lead that it was merged into."""
    return change["data"]["into"] if change["type"] == "lead.merged" else change["lead_id"]


def says(record):
    """Returns what a record says, including whether it was deleted."""
    if record.deleted:
        return {"crm_deleted": True}
    return {**record.traits, "email": record.email, "crm_deleted": None}


def earlier(at):
    if at is None:
        return None
    moment = datetime.fromisoformat(at.replace("Z", "+00:00")) - OVERLAP
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parts(items, size):
    return [items[at : at + size] for at in range(0, len(items), size)]


def main():
    """Does one run, with the settings of the environment."""
    setting = os.environ
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crm", choices=("hubspot", "salesforce"))
    adapter = importlib.import_module(parser.parse_args().crm)
    if missing := [name for name in NEEDED if not setting.get(name)]:
        parser.error(f"not set in the environment: {', '.join(missing)} (docs/crm.md says what they are)")
    crm = adapter.Crm(Api(setting["CRM_URL"], setting["CRM_TOKEN"]), setting.get("CRM_EXTERNAL_ID"))
    leadscore = Api(setting["LEADSCORE_URL"], setting["LEADSCORE_KEY"])
    sync = Sync(leadscore, crm, State(setting.get("STATE", f"{crm.name}.sqlite")))
    sync.pull()
    sync.push()
    print(json.dumps(sync.done))


if __name__ == "__main__":
    main()
