// What is a page view: routes of a single-page application, however they change, and a page that comes back.
import { sent, stage, tag } from './stage.js'

await stage(tag(), async (context) => {
  const page = await context.newPage()
  await page.clock.install()
  await page.goto('/')
  await sent(page)
  // A guard sends the visitor back at once, to a page that goes on being read. Meanwhile time passes only as it says here.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 60_000))
  await page.evaluate(() => history.pushState({}, '', '/admin'))
  await page.clock.runFor(100)
  await page.evaluate(() => history.replaceState({}, '', '/'))
  await page.clock.runFor(1000)
  await page.clock.resume()
  // So long that what the machine takes does not count.
  await page.clock.fastForward('40:00')

  await page.evaluate(() => history.pushState({}, '', '/pricing'))
  await page.clock.runFor(1000)
  await page.evaluate(() => new Promise((gone) => {
    addEventListener('popstate', () => gone(), { once: true })
    history.back()
  }))
  await page.clock.runFor(1000)
  for (const hash of ['#top', '#/customers']) {
    await page.evaluate((hash) => { location.hash = hash }, hash)
    await page.clock.runFor(1000)
  }
  await sent(page)

  // Leaves while a route is so new that its title is waited for; a beacon has to take it.
  await page.evaluate(() => history.pushState({}, '', '/late'))
  await page.goto('/other')
  await sent(page)
  // The browser has kept the page, and shows it as it was.
  await page.goBack({ waitUntil: 'commit' })
  await page.waitForFunction(() => location.pathname === '/late')
  await sent(page)
})
