// What the documentation of the Standard Webhooks library shows: verify a message, then read it.
import { Webhook } from 'standardwebhooks'
import { readFileSync } from 'node:fs'

const { secret, headers, body } = JSON.parse(readFileSync(0, 'utf8'))
const { type, data } = new Webhook(secret).verify(body, headers)
console.log(type, data.endpoint_id)
