// What the documentation of Jitsu's SDK shows, with only the host changed. It has no alias, and gives its messages ids of
// its own.
import { createRequire } from 'node:module'

// Node finds only its CommonJS build.
const { jitsuAnalytics } = createRequire(import.meta.url)('@jitsu/js')

const { HOST, WRITE_KEY } = process.env
const analytics = jitsuAnalytics({ host: HOST, writeKey: `${WRITE_KEY}:any`, s2s: true, errorPolicy: 'rethrow' })

analytics.setAnonymousId('device-1')
await analytics.page('Pricing', { url: 'https://www.acme.example/pricing?utm_source=news' })
await analytics.identify('jane', { email: 'Jane@acme.example', firstName: 'Jane', title: 'VP Sales' })
await analytics.track('Trial Started')
await analytics.track('Demo Requested', { plan: 'pro' })
await analytics.group('acme', { name: 'Acme', industry: 'Software', employees: 200 })
