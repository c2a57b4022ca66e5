"""What the documentation of Segment's SDK shows, with only the host changed. The ids and the time of the messages are
given so that the same messages can be sent twice."""

import os
import sys
from datetime import datetime

import segment.analytics as analytics

failures = []
analytics.write_key = os.environ["WRITE_KEY"]
analytics.host = os.environ["HOST"]
analytics.gzip = os.environ.get("GZIP") == "true"
analytics.on_error = lambda error, items: failures.append(error)
at = datetime.fromisoformat(os.environ["AT"])

analytics.page(
    anonymous_id="device-1",
    name="Pricing",
    properties={"url": "https://www.acme.example/pricing?utm_source=news"},
    message_id="m-page",
    timestamp=at,
)
analytics.identify(
    "jane",
    {"email": "Jane@acme.example", "firstName": "Jane", "title": "VP Sales"},
    anonymous_id="device-1",
    message_id="m-identify",
    timestamp=at,
)
analytics.track("trial-77", "Trial Started", message_id="m-trial", timestamp=at)
analytics.track("jane", "Demo Requested", {"plan": "pro"}, message_id="m-demo", timestamp=at)
analytics.group(
    "jane",
    "acme",
    {"name": "Acme", "industry": "Software", "employees": 200},
    message_id="m-group",
    timestamp=at,
)
analytics.alias("trial-77", "jane", message_id="m-alias", timestamp=at)

analytics.shutdown()
if failures:
    sys.exit(f"not sent: {failures}")
