// What the documentation of Segment's SDK shows, with only the host changed. The ids and the time of the messages are
// given so that the same messages can be sent twice.
import { Analytics } from '@segment/analytics-node'

const { HOST, WRITE_KEY, AT } = process.env
const analytics = new Analytics({ writeKey: WRITE_KEY, host: HOST })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})
const timestamp = new Date(AT)

analytics.page({
  anonymousId: 'device-1',
  name: 'Pricing',
  properties: { url: 'https://www.acme.example/pricing?utm_source=news' },
  messageId: 'm-page',
  timestamp
})
analytics.identify({
  userId: 'jane',
  anonymousId: 'device-1',
  traits: { email: 'Jane@acme.example', firstName: 'Jane', title: 'VP Sales' },
  messageId: 'm-identify',
  timestamp
})
analytics.track({ userId: 'trial-77', event: 'Trial Started', messageId: 'm-trial', timestamp })
analytics.track({
  userId: 'jane',
  event: 'Demo Requested',
  properties: { plan: 'pro' },
  messageId: 'm-demo',
  timestamp
})
analytics.group({
  userId: 'jane',
  groupId: 'acme',
  traits: { name: 'Acme', industry: 'Software', employees: 200 },
  messageId: 'm-group',
  timestamp
})
analytics.alias({ userId: 'jane', previousId: 'trial-77', messageId: 'm-alias', timestamp })

await analytics.closeAndFlush()
