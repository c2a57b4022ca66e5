// SDKs for web pages as their documentation shows, with only the host changed. The argument says which, and how it sends.
import { readFileSync } from 'node:fs'
import { HOST, WRITE_KEY, stage, taken } from './stage.js'

const file = (path) => readFileSync(new URL(`node_modules/${path}`, import.meta.url))

// What a visitor does, whatever the SDK; `done` once the page has said it all.
const story = `
  analytics.page('Pricing', { path: '/pricing' })
  analytics.identify('jane', { email: 'Jane@acme.example', title: 'VP Sales' })
  analytics.track('Demo Requested', { plan: 'pro' })
  analytics.group('acme', { name: 'Acme', employees: 200 })
  window.done = true`

const segment = (options) => ({
  files: { '/sdk.js': file('@segment/analytics-next/dist/umd/index.js') },
  page: `<script src="/sdk.js"></script><script>
    const settings = { writeKey: '${WRITE_KEY}', cdnURL: '${HOST}' }
    const analytics = AnalyticsNext.AnalyticsBrowser.load(settings, ${JSON.stringify(options)})
    ${story}
  </script>`
})

const rudder = (options) => ({
  files: { '/sdk.js': file('@rudderstack/analytics-js/dist/npm/modern/bundled/esm/index.mjs') },
  page: `<script type="module">
    import { RudderAnalytics } from '/sdk.js'
    const analytics = new RudderAnalytics()
    analytics.load('${WRITE_KEY}', '${HOST}', { configUrl: '${HOST}', ...${JSON.stringify(options)} })
    ${story}
  </script>`
})

const sdks = {
  segment: segment({}),
  'segment-batching': segment({
    integrations: { 'Segment.io': { deliveryStrategy: { strategy: 'batching', config: { size: 10, timeout: 500 } } } }
  }),
  rudder: rudder({}),
  'rudder-batch': rudder({ queueOptions: { batch: { enabled: true, maxItems: 10, flushInterval: 500 } } }),
  'rudder-beacon': rudder({ useBeacon: true, beaconQueueOptions: { flushQueueInterval: 500 } })
}

const { files, page: html } = sdks[process.argv[2]]
await stage(html, async (context) => {
  const page = await context.newPage()
  page.on('pageerror', (error) => { throw error })
  await page.goto('/pricing')
  await page.waitForFunction(() => window.done)
  await taken(4)
}, files)
