// A browser, and a site whose pages lie on another origin than the service, as they do in the world.
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'

export const { HOST, WRITE_KEY } = process.env
const SCRIPT = `${HOST}/analytics.js/v1/${WRITE_KEY}/analytics.min.js`
const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'

/// How long anything is waited for, in milliseconds: only what hangs takes so long, however busy the machine.
const DEADLINE = 300_000

/// Opens a browser on a site, and fails if the browser asked anybody but the site and the service for anything. `files`
/// are the site's, by path; every other path has the page, or one of the pages, by path.
export async function stage(page, act, files = {}) {
  const site = createServer(({ url }, response) => {
    const file = files[url]
    response.setHeader('Content-Type', file ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(file || `<!doctype html><title>Acme</title><link rel="icon" href="data:,">${page[url] ?? page}`)
  })
  await new Promise((listening) => site.listen(0, 'localhost', listening))
  const baseURL = `http://localhost:${site.address().port}`
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    timeout: DEADLINE,
    // A page that the visitor leaves is kept, as it is for people.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    // Whoever is asked, there is nobody else.
    args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1', '--disable-background-networking']
  })
  try {
    const context = await browser.newContext({ baseURL, userAgent: BROWSER })
    context.setDefaultTimeout(DEADLINE)
    const strangers = new Set()
    context.on('request', (request) => {
      const { protocol, origin } = new URL(request.url())
      if (protocol.startsWith('http') && ![HOST, baseURL].includes(origin)) strangers.add(request.url())
    })
    await act(context)
    if (strangers.size) throw new Error(`the page also asked ${[...strangers].join(', ')}`)
  } finally {
    await browser.close()
    site.close()
  }
}

/// The line that a page needs, and what is there before it, if anything; with attributes, if any.
export const tag = (attributes = '', before = '') =>
  `${before && `<script>${before}</script>`}<script async src="${SCRIPT}" ${attributes}></script>`

// Nobody leaves the page by a form or a link unless the test says so.
export const stays = `<script>
  addEventListener('click', (event) => event.target.closest('a') && event.preventDefault())
  addEventListener('submit', (event) => event.preventDefault())
</script>`

/// Waits until the tracker has nothing left to send.
export const sent = (page, name = 'analytics') =>
  page.waitForFunction(
    (name) => window[name]?.initialized && !Object.keys(localStorage).some((key) => key.startsWith('leadscore_queue')),
    name
  )

/// Waits until the service has taken so many messages.
export async function taken(count) {
  const outcome = /^leadscore_events_total{outcome="accepted"} (\d+)$/m
  for (const began = Date.now(); ; await new Promise((soon) => setTimeout(soon, 50))) {
    const metrics = await (await fetch(`${HOST}/metrics`)).text()
    const accepted = Number(outcome.exec(metrics)?.[1] ?? 0)
    if (accepted >= count) return
    if (Date.now() - began > DEADLINE) throw Error(`the page sent ${accepted} of ${count} messages`)
  }
}
