// That nothing is lost, and nothing counts twice. The argument says what stands in the way.
import { deepEqual } from 'node:assert/strict'
import { sent, stage, tag, taken } from './stage.js'

const track = (page, name, from, to, properties = {}) =>
  page.evaluate(([name, from, to, properties]) => {
    for (let n = from; n < to; n++) analytics.track(name, { n, ...properties })
  }, [name, from, to, properties])

const obstacles = {
  // Two tabs gather at once what cannot be sent, and then send it; later one of them gathers more than is kept.
  async tabs() {
    await stage(tag(), async (context) => {
      const tabs = [await context.newPage(), await context.newPage()]
      for (const tab of tabs) {
        await tab.goto('/')
        await sent(tab)
      }
      await context.setOffline(true)
      await Promise.all(tabs.map((tab, index) => track(tab, 'Shared', 90 * index, 90 * (index + 1))))
      await context.setOffline(false)
      for (const tab of tabs) await sent(tab)

      await context.setOffline(true)
      await track(tabs[0], 'Dropped', 0, 30)
      await track(tabs[0], 'Kept', 0, 200)
      await context.setOffline(false)
      await sent(tabs[0])
    })
  },

  // Nothing can be sent until the page is left; a beacon takes as much as it may, where the browser takes beacons.
  async beacons() {
    await stage(tag(), async (context) => {
      await context.addInitScript(() => {
        const [beacon, send] = [navigator.sendBeacon.bind(navigator), fetch]
        if (location.pathname === '/next') return
        window.fetch = () => Promise.reject(Error('no network'))
        navigator.sendBeacon = (url, body) => {
          localStorage.beacon = new Blob([body]).size
          return location.pathname !== '/none' && beacon(url, body)
        }
      })
      const page = await context.newPage()
      await page.goto('/none')
      await page.waitForFunction(() => window.analytics?.initialized)
      await track(page, 'Large', 0, 30, { text: '€'.repeat(2000) })
      await page.goto('about:blank')
      await page.goto('/some')
      await page.waitForFunction(() => window.analytics?.initialized)
      await page.goto('about:blank')
      await taken(2)
      await page.goto('/next')
      await sent(page)
      const size = await page.evaluate(() => +localStorage.beacon)
      if (!(size > 20000 && size < 65536)) throw Error(`a beacon of ${size} bytes`)
    })
  },

  // The page's storage is closed, or has no room.
  async storage() {
    await stage(tag(), async (context) => {
      const closed = await context.newPage()
      await closed.addInitScript(() => {
        Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('closed', 'SecurityError') } })
      })
      await closed.goto('/closed')
      await closed.waitForFunction(() => window.analytics?.initialized)
      await track(closed, 'Kept', 0, 2)
      await taken(3)
      await closed.close()

      const full = await context.newPage()
      await full.goto('/full')
      await sent(full)
      await context.setOffline(true)
      await full.evaluate(() => {
        analytics.identify('jane', { email: 'jane@acme.example' })
        localStorage.page = ''
        for (let size = 1 << 23; size; size >>= 1) try { localStorage.page += 'x'.repeat(size) } catch {}
      })
      await track(full, 'Kept', 2, 4)
      await context.setOffline(false)
      await sent(full)
      await taken(7)
      await full.evaluate(() => {
        for (let size = 1 << 10; size; size >>= 1) try { localStorage.page += 'x'.repeat(size) } catch {}
        analytics.consent(false)
      })
      deepEqual(await full.evaluate(() => Object.keys(localStorage).sort()), ['leadscore_consent', 'page'])
    })
  }
}

await obstacles[process.argv[2]]()
