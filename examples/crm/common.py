"""Code that both CRMs' adapters share. It needs only the standard library."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

TRIES = 5


@dataclass
class Record:
    """A contact or lead, as the CRM gives it."""

    id: str
    # When the record last changed, as RFC 3339.
    at: str
    email: str = None
    # The product's id of the person, if the CRM has it in a field.
    external_id: str = None
    traits: dict = field(default_factory=dict)
    # Whether the record was deleted in the CRM.
    deleted: bool = False


def names(profile):
    """Returns the first and last name of a lead. If both are missing, the last word of `name` is the last name."""
    first = profile.get("first_name") or profile.get("firstName")
    last = profile.get("last_name") or profile.get("lastName")
    whole = profile.get("name")
    if not first and not last and isinstance(whole, str):
        first, _, last = whole.strip().rpartition(" ")
    return first or None, last or None


def company(profile):
    """Returns the name, number of employees and industry of a lead's company, or None for what is not known."""
    said = profile.get("company")
    said = said if isinstance(said, dict) else {"name": said}
    return said.get("name"), said.get("employees") or said.get("employee_count"), said.get("industry")


class Refused(Exception):
    """The error of an answer that is not a success."""

    def __init__(self, what, status, body):
        super().__init__(f"{what}: {status} {json.dumps(body)[:500]}")
        self.status, self.body = status, body


class Api:
    """A server with a JSON API and a bearer token."""

    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token

    def call(self, method, path, body=None):
        """Sends a request and returns the JSON of the answer. After 429 and 503, waits and tries again."""
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
