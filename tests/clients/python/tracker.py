"""What the documentation of each SDK shows, with only the host changed; the argument is its module. The ids and the time
of the messages are given so that the same messages can be sent twice; the oldest SDK takes no ids."""

import importlib
import os
import sys
from datetime import datetime

analytics = importlib.import_module(sys.argv[1])
failures = []
analytics.write_key = os.environ["WRITE_KEY"]
setattr(analytics, "dataPlaneUrl" if sys.argv[1] == "rudderstack.analytics" else "host", os.environ["HOST"])
if "GZIP" in os.environ:
    analytics.gzip = True
analytics.on_error = lambda error, items: failures.append(error)
at = datetime.fromisoformat(os.environ["AT"])


def given(message_id):
    ids = {} if sys.argv[1] == "analytics" else {"message_id": message_id}
    return {"timestamp": at, **ids}


analytics.page(
    anonymous_id="device-1",
    name="Pricing",
    properties={"url": "https://www.acme.example/pricing?utm_source=news"},
    **given("m-page"),
)
analytics.identify(
    "jane",
    {"email": "Jane@acme.example", "firstName": "Jane", "title": "VP Sales"},
    anonymous_id="device-1",
    **given("m-identify"),
)
analytics.track("trial-77", "Trial Started", **given("m-trial"))
analytics.track("jane", "Demo Requested", {"plan": "pro"}, **given("m-demo"))
analytics.group("jane", "acme", {"name": "Acme", "industry": "Software", "employees": 200}, **given("m-group"))
analytics.alias("trial-77", "jane", **given("m-alias"))

analytics.flush()
analytics.join()
if failures:
    sys.exit(f"not sent: {failures}")
