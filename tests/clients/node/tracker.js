// What the documentation of each SDK shows, with only the host changed; the argument is its package. The ids and the time
// of the messages are given so that the same messages can be sent twice.
const { HOST, WRITE_KEY, AT } = process.env
const failed = (error) => {
  console.error(error)
  process.exitCode = 1
}

// Makes an SDK's client, and says how all is sent before the program ends.
const clients = {
  async '@segment/analytics-node'() {
    const { Analytics } = await import('@segment/analytics-node')
    const analytics = new Analytics({ writeKey: WRITE_KEY, host: HOST })
    analytics.on('error', failed)
    return [analytics, () => analytics.closeAndFlush()]
  },
  async 'analytics-node'() {
    const { default: Analytics } = await import('analytics-node')
    const analytics = new Analytics(WRITE_KEY, { host: HOST, errorHandler: failed })
    return [analytics, () => analytics.flush()]
  },
  async '@rudderstack/rudder-sdk-node'() {
    const { default: RudderAnalytics } = await import('@rudderstack/rudder-sdk-node')
    const analytics = new RudderAnalytics(WRITE_KEY, { dataPlaneUrl: HOST, errorHandler: failed })
    return [analytics, () => new Promise((sent) => analytics.flush(sent))]
  },
  async '@customerio/cdp-analytics-node'() {
    const { Analytics } = await import('@customerio/cdp-analytics-node')
    const analytics = new Analytics({ writeKey: WRITE_KEY, host: HOST })
    analytics.on('error', failed)
    return [analytics, () => analytics.closeAndFlush()]
  }
}

const [analytics, flush] = await clients[process.argv[2]]()
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

await flush()
