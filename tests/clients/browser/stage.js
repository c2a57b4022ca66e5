// A browser, and a site whose pages lie on another origin than the service, as they do in the world.
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'

export const { HOST, WRITE_KEY } = process.env
const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'

/// Opens a browser on a site, and fails if the browser asked anybody but the site and the service for anything. `files`
/// are the site's, by path; every other path has the page.
export async function stage(page, act, files = {}) {
  const site = createServer(({ url }, response) => {
    const file = files[url]
    response.setHeader('Content-Type', file ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(file || `<!doctype html><title>Acme</title><link rel="icon" href="data:,">${page}`)
  })
  await new Promise((listening) => site.listen(0, 'localhost', listening))
  const baseURL = `http://localhost:${site.address().port}`
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // Whoever is asked, there is nobody else.
    args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1', '--disable-background-networking']
  })
  try {
    const context = await browser.newContext({ baseURL, userAgent: BROWSER })
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

/// Waits until the tracker has nothing left to send.
export const sent = (page) =>
  page.waitForFunction(() => window.analytics?.initialized && !JSON.parse(localStorage.leadscore_queue || '[]').length)
