"""What the documentation of the Standard Webhooks library shows: verify a message, then read it."""

import json
import sys

from standardwebhooks import Webhook

message = json.load(sys.stdin)
event = Webhook(message["secret"]).verify(message["body"], message["headers"])
print(event["type"], event["data"]["endpoint_id"])
