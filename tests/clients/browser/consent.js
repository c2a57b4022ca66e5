// Who is tracked and who is not. The argument says what the visitor says, or what else stands in the way.
import { equal, notEqual } from 'node:assert/strict'
import { sent, stage, stays, tag } from './stage.js'

const LINK = '<a data-lead-event="demo_requested">Demo</a>'
const kept = (page) => page.evaluate(() => Object.keys(localStorage).sort().join())

const answers = {
  // Objects to being tracked, as the browser says by itself.
  async objection() {
    for (const objection of ['globalPrivacyControl', 'doNotTrack']) {
      await stage(`${tag()}${stays}${LINK}`, async (context) => {
        await context.addInitScript(`Object.defineProperty(navigator, '${objection}', { value: '1' })`)
        await silent(context, (page) => page.evaluate(() => analytics.consent(true)))
      })
    }
  },

  // Is asked for consent: is silent until it is given, and after it is taken back.
  async consent() {
    await stage(`${tag('data-consent="required"')}${stays}${LINK}`, async (context) => {
      const page = await silent(context, () => {})
      await page.evaluate(() => analytics.consent(true))
      await sent(page)
      await page.goto('/given')
      await sent(page)
      await page.evaluate(() => analytics.consent(false))
      equal(await kept(page), 'leadscore_consent')
      await page.goto('/refused')
      await page.click('a')
      await page.waitForFunction(() => window.analytics?.initialized)
    })
  },

  // Refuses in one of two tabs, while what the other one sent is not yet answered; and later gives consent again.
  async tabs() {
    await stage(`${tag()}${stays}${LINK}`, async (context) => {
      const [asked, other] = [await context.newPage(), await context.newPage()]
      for (const tab of [asked, other]) {
        await tab.goto('/pricing')
        await sent(tab)
      }
      const device = await other.evaluate(() => analytics.user().anonymousId())
      let refuse
      const refused = new Promise((said) => { refuse = said })
      let requests = 0
      await context.route('**/v1/batch', async (route) => {
        requests++
        await refused
        await route.continue()
      })
      const [asking, answered] = [other.waitForRequest('**/v1/batch'), other.waitForResponse('**/v1/batch')]
      await other.click('a')
      await asking
      await asked.evaluate(() => analytics.consent(false))
      await other.waitForFunction(() => localStorage.leadscore_consent)
      refuse()
      await answered
      await other.click('a')
      await other.evaluate(() => analytics.identify('jane', { email: 'jane@acme.example' }))
      await other.waitForTimeout(300)
      await other.evaluate(() => dispatchEvent(new Event('pagehide')))
      equal(await kept(other), 'leadscore_consent')
      equal(requests, 1, 'who has refused sends nothing')

      await asked.evaluate(() => analytics.consent(true))
      await other.waitForFunction(() => localStorage.leadscore_consent === 'yes')
      await other.goto('/given')
      await sent(other)
      const devices = [asked, other].map((tab) => tab.evaluate(() => analytics.user().anonymousId()))
      const [first, second] = await Promise.all(devices)
      equal(first, second)
      notEqual(first, device, 'the visitor was to be forgotten')
    })
  },

  // Does not see the page yet: the browser has made it ready in advance.
  async prerendering() {
    await stage(`${tag()}${stays}${LINK}`, async (context) => {
      await context.addInitScript(() => Object.defineProperty(document, 'prerendering', { value: true, configurable: true }))
      const page = await silent(context, (page) => page.evaluate(() => analytics.track('Made Ready')))
      const device = await page.evaluate(() => {
        Object.defineProperty(document, 'prerendering', { value: false })
        document.dispatchEvent(new Event('prerenderingchange'))
        return analytics.user().anonymousId()
      })
      await sent(page)
      equal(await page.evaluate(() => JSON.parse(localStorage.ajs_anonymous_id)), device)
    })
  }
}

/// Visits a page and clicks; nothing may be sent or kept.
async function silent(context, act) {
  const page = await context.newPage()
  const asked = []
  page.on('request', (request) => asked.push(request.url()))
  await page.clock.install()
  await page.goto('/pricing')
  await page.waitForFunction(() => window.analytics?.initialized)
  await act(page)
  await page.click('a')
  await page.evaluate(() => dispatchEvent(new Event('pagehide')))
  await page.clock.runFor(10000)
  const kept = await page.evaluate(() => Object.keys(localStorage).join() + document.cookie)
  if (asked.some((url) => url.endsWith('/v1/batch')) || kept) throw Error(`${asked}, kept: ${kept}`)
  return page
}

await answers[process.argv[2]]()
