"""What both sides of the sync share, with the standard library alone."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

TRIES = 5


@dataclass
class Record:
    """A contact or lead as its CRM tells of it."""

    id: str
    # When it last changed, RFC 3339.
    at: str
    email: str = None
    # The product's own id of the person, if the CRM keeps it in a field.
    external_id: str = None
    traits: dict = field(default_factory=dict)
    # The CRM says that it is gone.
    deleted: bool = False


def names(profile):
    """First and last name of a lead. If neither is said, `name` is split: its last word is the last name."""
    first = profile.get("first_name") or profile.get("firstName")
    last = profile.get("last_name") or profile.get("lastName")
    whole = profile.get("name")
    if not first and not last and isinstance(whole, str):
        first, _, last = whole.strip().rpartition(" ")
    return first or None, last or None


def company(profile):
    """Name, number of employees and industry of a lead's company, where they are known."""
    said = profile.get("company")
    said = said if isinstance(said, dict) else {"name": said}
    return said.get("name"), said.get("employees") or said.get("employee_count"), said.get("industry")


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, what, status, body):
        super().__init__(f"{what}: {status} {json.dumps(body)[:500]}")
        self.status, self.body = status, body


class Api:
    """A server that speaks JSON and takes a bearer token."""

    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token

    def call(self, method, path, body=None):
        """The answer's JSON. A server that is full, or asks for less haste, is asked again after a while."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        for again in range(TRIES):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                text = error.read()
                if error.code in (429, 503) and again + 1 < TRIES:
                    time.sleep(min(float(error.headers.get("Retry-After") or 1), 30))
                    continue
                try:
                    said = json.loads(text or b"null")
                except ValueError:
                    said = text.decode(errors="replace")
                raise Refused(f"{method} {path}", error.code, said) from None
