// What a page calls, marks and sets, and what it does wrong. The argument says which.
import { deepEqual, equal, match, notEqual } from 'node:assert/strict'
import { createRequire } from 'node:module'
import { HOST, WRITE_KEY, sent, stage, stays, tag } from './stage.js'

const FORMS = `${stays}
  <a data-lead-event="demo_requested">Demo</a>
  <form id="plain"><button>Send</button></form>
  <form id="contact" data-lead-event="contact_sales_requested" data-lead-plan="pro">
    <input name="id" value="7"><input name="href"><input type="password"><input value="jane@acme.example" data-lead-field="email">
    <button>Send</button>
  </form>`

/// Opens a page and says what it then writes to the console; it is ready once the tracker is there.
async function open(context, path, name = 'analytics') {
  const page = await context.newPage()
  const said = []
  page.on('console', (message) => said.push(message.text()))
  page.on('pageerror', (error) => said.push(error.message))
  await page.goto(path)
  await page.waitForFunction((name) => window[name]?.initialized, name)
  return [page, said]
}

/// What the tracker says of itself and of others, since there is nobody to catch it.
const complaints = (said) => said.filter((text) => text.startsWith('leadscore:'))

const pages = {
  // The names of analytics.js give what they give there.
  async names() {
    await stage(tag('data-auto="off"'), async (context) => {
      const [page] = await open(context, '/')
      const heard = await page.evaluate(() => {
        const heard = []
        for (const name of ['identify', 'group', 'page', 'track', 'alias']) analytics.on(name, (...args) => heard.push([name, ...args]))
        analytics.identify({ email: 'jane@acme.example' })
        analytics.identify('jane', { title: 'VP Sales' }, { messageId: 'm-identify' })
        analytics.group('acme', { employees: 200 })
        analytics.page('Docs', 'Pricing', { path: '/pricing' })
        analytics.track('Demo Requested', { plan: 'pro' })
        analytics.alias('jane', 'trial-77')
        return heard
      })
      deepEqual(heard, [
        ['identify', undefined, { email: 'jane@acme.example' }, {}],
        ['identify', 'jane', { title: 'VP Sales' }, { messageId: 'm-identify' }],
        ['group', 'acme', { employees: 200 }, {}],
        ['page', 'Docs', 'Pricing', { path: '/pricing' }, {}],
        ['track', 'Demo Requested', { plan: 'pro' }, {}],
        ['alias', 'jane', 'trial-77', {}]
      ])
      await sent(page)
      await page.reload()
      await sent(page)
      const state = () => page.evaluate(() => {
        const [user, group] = [analytics.user(), analytics.group()]
        return [user.id(), user.traits(), group.id(), group.traits()]
      })
      deepEqual(await state(), ['jane', { email: 'jane@acme.example', title: 'VP Sales' }, 'acme', { employees: 200 }])
      const ids = await page.evaluate(() => {
        const { anonymousId } = analytics.user()
        return [anonymousId('x'), anonymousId(), ...[undefined, null, ''].map((none) => analytics.setAnonymousId(none)), anonymousId()]
      })
      deepEqual(ids.slice(0, 2), ['x', 'x'])
      equal(ids[5], ids[4])
      for (const id of ids.slice(2)) match(id, /^[0-9a-f]{32}$/)
      await page.evaluate(() => analytics.reset())
      deepEqual(await state(), [undefined, {}, undefined, {}])
      notEqual(await page.evaluate(() => analytics.user().anonymousId()), ids[5])
    })
  },

  // Who leaves page views and forms to the page marks what counts; asked for by an attribute, or as the snippet is.
  async settings() {
    const { max } = createRequire(import.meta.url)('@segment/snippet')
    const { protocol, host } = new URL(HOST)
    const snippet = (load) =>
      `<script>${max({ apiKey: WRITE_KEY, host, page: false, load }).replaceAll('https://', `${protocol}//`)}</script>`
    const act = async (page) => {
      await page.evaluate(() => {
        // As React does, whose fields lead around in circles.
        const field = document.querySelector('[name=id]')
        field.react = { field }
      })
      await page.click('a')
      for (const form of ['#plain', '#contact']) await page.click(`${form} button`)
      await page.evaluate(() => history.pushState({}, '', '/further'))
      await page.waitForTimeout(400)
    }
    const settings = {
      '/asked': snippet({ consent: 'required' }),
      '/attribute': tag('data-auto="off"'),
      '/snippet': snippet({ auto: false })
    }
    for (const path in settings) settings[path] += FORMS
    await stage(settings, async (context) => {
      const [asked] = await open(context, '/asked')
      await act(asked)
      deepEqual(await asked.evaluate(() => Object.keys(localStorage)), [])
      await asked.close()
      for (const path of ['/attribute', '/snippet']) {
        const [page] = await open(context, path)
        await act(page)
        await sent(page)
      }
    })
  },

  // What others do wrong costs nothing else, and is said in the console.
  async mistakes() {
    const early = `window.analytics = [['ready'], null, ['no_such_call'], ['track', 'Queued']]`
    await stage(tag('', early), async (context) => {
      const [page, said] = await open(context, '/')
      equal(complaints(said).length, 3, said.join('\n'))
      await page.evaluate(() => {
        analytics.on('track', () => { throw Error('a listener') })
        analytics.on('track', (event) => { window.heard = event })
        const cyclic = {}
        cyclic.cyclic = cyclic
        analytics.track('Cyclic', cyclic).catch(() => {})
        analytics.track('Heard', {}, null)
      })
      equal(await page.evaluate(() => heard), 'Heard')
      await sent(page)
      equal(complaints(said).length, 4, said.join('\n'))
      const warned = page.waitForEvent('console', (message) => message.type() === 'warning')
      await page.evaluate(() => analytics.track(''))
      match((await warned).text(), /^leadscore: 200 .*"rejected":\[\{/)
    })
  },

  // Another SDK has the name already: it keeps it. An element of the page has no claim to it.
  async neighbours() {
    const other = 'window.analytics = { track: () => "theirs", initialized: true }'
    const sites = {
      '/beside': `${tag('', other)}${tag('data-global-segment-analytics-key="leads"')}`,
      '/element': `<section id="analytics"></section>${tag()}`
    }
    await stage(sites, async (context) => {
      const [page, said] = await open(context, '/beside', 'leads')
      await page.waitForLoadState()
      equal(await page.evaluate(() => analytics.track('Theirs')), 'theirs')
      equal(complaints(said).length, 1, said.join('\n'))
      match(complaints(said)[0], /data-global-segment-analytics-key/)
      await sent(page, 'leads')
      await page.goto('/element')
      await sent(page)
    })
  }
}

await pages[process.argv[2]]()
