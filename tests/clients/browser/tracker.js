// The tracker of the service, on pages that use it as docs/tracking.md shows. The argument says what the visitor does.
import { equal } from 'node:assert/strict'
import { createRequire } from 'node:module'
import { HOST, WRITE_KEY, sent, stage, stays, tag, taken } from './stage.js'

const visits = {
  // Looks at a page, goes on to the prices within the application, asks for a demo there, and writes to the company.
  async visit() {
    const page = `${tag()}${stays}
      <a id="demo" href="/demo" data-lead-event="demo_requested" data-lead-plan="pro"><b>Demo</b></a>
      <form name="contact">
        <input name="mail" value="Jane@acme.example" data-lead-field="email">
        <input name="title" value="VP Sales" data-lead-field>
        <input type="checkbox" name="news" data-lead-field>
        <input name="budget" value="secret">
        <input value="Acme" data-lead-field="company"><input value="200" data-lead-field="company.employees">
        <input name="team.size" value="5" data-lead-field><input value="Sales" data-lead-field="team">
        <input value="yes" data-lead-field="__proto__.polluted"><input value="as it is" data-lead-field="a..b">
        <button>Send</button>
      </form>
      <form id="search"><input type="search" name="q" value="secret"><button>Search</button></form>
      <form id="login">
        <input value="secret@acme.example" data-lead-field="email"><input type="password" value="secret">
        <button>Log in</button>
      </form>
      <form data-lead-ignore><button id="ignored" data-lead-event="ignored">Other</button></form>`
    await stage(page, async (context) => {
      const page = await context.newPage()
      await page.clock.install()
      await page.goto('/?utm_source=news#top', { referer: 'https://search.example/' })
      await sent(page)
      // So long that what the machine takes does not count.
      await page.clock.fastForward('40:00')
      await page.evaluate(() => {
        history.pushState({}, '', '/pricing')
        history.replaceState({}, '', '/pricing?tab=2')
        document.title = 'Prices'
      })
      await page.clock.runFor(1000)
      await page.click('#demo b')
      for (const form of ['[name=contact]', '#search', '#login', '[data-lead-ignore]']) await page.click(`${form} button`)
      equal(await page.evaluate(() => ({}).polluted), undefined)
      await page.clock.fastForward('01:20:00')
      await sent(page)
      await page.goto('about:blank')
      await taken(7)
    })
  },

  // The snippet of Segment, with only its host changed, on a page that says more before the tracker is there.
  async snippet() {
    const { max } = createRequire(import.meta.url)('@segment/snippet')
    const { protocol, host } = new URL(HOST)
    const snippet = max({ apiKey: WRITE_KEY, host, page: true }).replaceAll('https://', `${protocol}//`)
    const page = `<script>${snippet}
      analytics.identify('jane', { email: 'Jane@acme.example', title: 'VP Sales' })
      analytics.track('Trial Started', { plan: 'pro' })
      analytics.group('acme', { employees: 200 })
      analytics.alias('jane', 'trial-77')
      stale = analytics
    </script><a id="link" href="#">Link</a>`
    await stage(page, async (context) => {
      const page = await context.newPage()
      await page.clock.install()
      await page.goto('/pricing')
      await sent(page)
      await page.evaluate(async () => {
        const heard = []
        analytics.on('track', (event, properties) => heard.push([event, properties]))
        analytics.trackLink(document.getElementById('link'), 'Link Clicked', { to: 'top' })
        await new Promise((ready) => analytics.ready(ready))
        document.getElementById('link').click()
        await new Promise((done) => stale.track('Demo Requested', done))
        if (JSON.stringify(heard) !== '[["Link Clicked",{"to":"top"}],["Demo Requested",{}]]') throw Error(JSON.stringify(heard))
        if (analytics.user().id() !== 'jane') throw Error(analytics.user().id())
        // An application that says itself what page is in view is not helped.
        history.pushState({}, '', '/customers')
        await analytics.page('Customers', 'Acme', { path: '/customers' })
        for (const name of analytics.methods) if (typeof analytics[name] !== 'function') throw Error(name)
      })
      await page.clock.runFor(1000)
      await sent(page)
    })
  },

  // Loses the network, asks for a demo, and leaves the page; comes again another day, when the service is busy at first.
  async offline() {
    await stage(tag(), async (context) => {
      const page = await context.newPage()
      await page.goto('/pricing')
      await sent(page)
      await context.setOffline(true)
      const failed = page.waitForEvent('requestfailed')
      await page.evaluate(() => analytics.track('Demo Requested', {}, { messageId: 'm-offline' }))
      await failed
      await page.goto('about:blank')
      await context.setOffline(false)

      const busy = {
        status: 503,
        headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Retry-After', 'Retry-After': '2' }
      }
      let refused
      const refuse = (route) => {
        refused = Date.now()
        return route.fulfill(busy)
      }
      // A page of its own, since what the other one sent as it was left may arrive late.
      const again = await context.newPage()
      await again.route('**/v1/batch', refuse, { times: 1 })
      const [answered] = [again.waitForResponse('**/v1/batch'), again.goto('/pricing')]
      await answered
      await again.waitForTimeout(200)
      await again.evaluate(() => dispatchEvent(new Event('online')))
      await sent(again)
      if (Date.now() - refused < 1900) throw Error('it was to wait two seconds')
    })
  }
}

await visits[process.argv[2]]()
