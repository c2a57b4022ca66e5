// The tracker for web pages: page views and how long they are in view, route changes, forms, marked clicks, under the
// method names of analytics.js, so that Segment's snippet loads it with only its host changed. docs/tracking.md says how
// to use it. It is served as it stands here but for comments and indentation, so nothing may span lines that ends in them.
(() => {
  const script = document.currentScript
  const [, host, writeKey] = /(.*)\/analytics\.js\/v1\/([^/]+)/.exec(script.src)
  const global = script.dataset.globalSegmentAnalyticsKey || 'analytics'
  // A snippet, or the page, may have left calls here for us, each as [method, ...arguments].
  const api = (window[global] = Array.isArray(window[global]) ? window[global] : [])
  if (api.initialized) return
  const options = { ...script.dataset, ...api._loadOptions }
  const auto = ![false, 'off'].includes(options.auto)

  // The first two names are those of analytics.js, so that a visitor whom it knew stays the same.
  const DEVICE = 'ajs_anonymous_id'
  const USER = 'ajs_user_id'
  const QUEUE = 'leadscore_queue'
  const CONSENT = 'leadscore_consent'
  const MOST_QUEUED = 200
  // A beacon takes 64 KiB, and a character at most three bytes.
  const MOST_CHARACTERS = 20000

  // Where storage is closed or full, this page's memory has to do.
  let storage = {}
  try { storage = localStorage || storage } catch {}
  const recall = (name) => { try { return JSON.parse(storage[name]) } catch {} }
  const remember = (name, value) => {
    const text = JSON.stringify(value)
    try { storage[name] = text } catch { storage = { ...storage, [name]: text } }
  }
  const fresh = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('')

  // 'yes' sends, 'no' does nothing at all, and undefined holds what happens in memory until one of them is said.
  const objected = navigator.globalPrivacyControl || navigator.doNotTrack === '1'
  let consent = objected ? 'no' : recall(CONSENT) || (options.consent === 'required' ? undefined : 'yes')
  let held = []
  let device = recall(DEVICE) || fresh()
  let user = recall(USER)
  const keep = () => {
    if (consent !== 'yes') return
    remember(DEVICE, device)
    user ? remember(USER, user) : delete storage[USER]
  }

  // Sending. A message leaves the queue only once the service has answered for it; if it had arrived all the same, the
  // service knows its id.
  const queue = () => recall(QUEUE) || []
  let timer, busy, failures = 0
  const later = (milliseconds) => {
    timer ||= setTimeout(() => { timer = 0; flush() }, milliseconds)
  }
  const enqueue = (messages) => {
    remember(QUEUE, [...queue(), ...messages].slice(-MOST_QUEUED))
    later(100)
  }
  const pack = () => {
    const batch = queue()
    const text = () => JSON.stringify({ batch, writeKey, sentAt: new Date() })
    while (batch.length > 1 && text().length > MOST_CHARACTERS) batch.length = batch.length >> 1
    return [batch.map((message) => message.messageId), text()]
  }
  const flush = async () => {
    const [ids, body] = pack()
    if (busy || consent !== 'yes' || !ids.length) return
    busy = true
    let wait = Math.min(2 ** failures++, 60)
    try {
      // A text needs no preflight; a redirected POST would be lost and look like a success.
      const keepalive = body.length <= MOST_CHARACTERS
      const answer = await fetch(host + '/v1/batch', { method: 'POST', body, keepalive, redirect: 'error', credentials: 'omit' })
      if (answer.status < 500 && ![408, 429].includes(answer.status)) {
        remember(QUEUE, queue().filter((message) => !ids.includes(message.messageId)))
        wait = failures = 0
        if (!answer.ok) console.warn('leadscore:', answer.status, await answer.text())
      } else wait = Math.max(wait, +answer.headers.get('Retry-After') || 0)
    } catch {}
    busy = false
    if (wait) {
      clearTimeout(timer)
      timer = 0
      later(1000 * wait)
    } else if (queue().length) flush()
  }

  const listeners = {}
  const record = (type, fields, { context, anonymousId, userId, timestamp, messageId } = {}, page = place()) => {
    for (const listener of listeners[type] || []) listener(fields.event || fields.name, fields.properties || fields.traits)
    if (consent === 'no') return
    const message = {
      type,
      messageId: messageId || fresh(),
      anonymousId: anonymousId || device,
      userId: userId || user,
      timestamp: timestamp || new Date(),
      ...fields,
      context: { page, userAgent: navigator.userAgent, locale: navigator.language, library: { name: 'leadscore.js' }, ...context }
    }
    if (consent) enqueue([message])
    else held = [...held, message].slice(-MOST_QUEUED)
  }

  // The page in view. A fragment that begins like a path is the route of a single-page application.
  let referrer = document.referrer
  let page, since, inView, told, routing
  const place = () => {
    const route = /^#!?(\/[^?]*)/.exec(location.hash)
    const url = route ? location.href : location.href.split('#')[0]
    return { path: route ? route[1] : location.pathname, search: location.search, title: document.title, url, referrer }
  }
  const look = () => { since = page && !document.hidden ? performance.now() : 0 }
  const leave = () => {
    if (since) inView += performance.now() - since
    since = 0
    const seconds = Math.round(inView / 1000)
    if (!auto || !page || seconds <= told) return
    told = seconds
    record('track', { event: 'page_left', properties: { path: page.path, url: page.url, seconds } }, {}, page)
  }
  const moved = () => {
    if (!page || place().path === page.path) return
    leave()
    referrer = page.url
    clearTimeout(routing)
    // The title follows the route; and if the page says itself what is in view, that is enough.
    routing = setTimeout(api.page, 300)
  }

  // The arguments of analytics.js: texts, then two objects; any may be missing.
  const texts = (args, most) => {
    const found = []
    while (found.length < most && args.length && (typeof args[0] !== 'object' || !args[0])) found.push(args.shift())
    return found
  }
  const seen = (type) => (args) => {
    const [name, category] = texts(args, 2).filter((text) => text).reverse()
    record(type, { name, category, properties: args[0] || {} }, args[1])
  }
  const calls = {
    track(args) {
      const [event] = texts(args, 1)
      record('track', { event, properties: args[0] || {} }, args[1])
    },
    page(args) {
      leave()
      clearTimeout(routing)
      routing = inView = told = 0
      page = place()
      look()
      seen('page')(args)
    },
    screen: seen('screen'),
    identify(args) {
      const [id] = texts(args, 1)
      if (id) user = '' + id
      keep()
      record('identify', { traits: args[0] || {} }, args[1])
    },
    group(args) {
      const [groupId] = texts(args, 1)
      record('group', { groupId, traits: args[0] || {} }, args[1])
    },
    alias(args) {
      const [userId, previousId] = texts(args, 2)
      record('alias', { userId, previousId: previousId || user || device }, args[0])
    }
  }
  for (const name in calls) {
    api[name] = async (...args) => {
      // Snippets add what page it was; callers may add what is to be done afterwards.
      calls[name](args.filter((arg) => typeof arg !== 'function' && !(arg && arg.__t)))
      for (const arg of args) if (typeof arg === 'function') arg()
    }
  }
  const on = (kind) => (target, event, properties) => {
    const value = (given, element) => (typeof given === 'function' ? given(element) : given)
    for (const element of target ? (target.addEventListener ? [target] : target) : []) {
      element.addEventListener(kind, () => api.track(value(event, element), value(properties, element)))
    }
    return api
  }
  Object.assign(api, {
    initialized: true,
    initialize: () => api,
    pageview: api.page,
    trackLink: on('click'),
    trackClick: on('click'),
    trackForm: on('submit'),
    trackSubmit: on('submit'),
    user: () => ({ id: () => user, anonymousId: () => device }),
    setAnonymousId(id) { device = '' + id; keep() },
    reset() { device = fresh(); user = undefined; keep() },
    ready(then) { then() },
    on(name, listener) { (listeners[name] ||= []).push(listener) },
    off(name, listener) { listeners[name] = (listeners[name] || []).filter((known) => known !== listener) },
    once(name, listener) {
      const first = (...args) => { api.off(name, first); listener(...args) }
      api.on(name, first)
    },
    consent(given) {
      if (objected) return
      remember(CONSENT, (consent = given ? 'yes' : 'no'))
      if (given) { keep(); enqueue(held) } else { for (const name of [DEVICE, USER, QUEUE]) delete storage[name]; api.reset() }
      held = []
    }
  })
  for (const name of ['debug', 'register', 'addSourceMiddleware', 'addIntegrationMiddleware', 'addDestinationMiddleware']) {
    api[name] = () => api
  }

  // What happens by itself.
  const about = (element) => {
    const properties = element.href ? { href: element.href } : {}
    for (const name in element.dataset) {
      if (/^lead[A-Z]/.test(name) && name !== 'leadEvent') properties[name[4].toLowerCase() + name.slice(5)] = element.dataset[name]
    }
    return properties
  }
  const submitted = ({ target: form }) => {
    const named = form.dataset.leadEvent
    if (form.closest('[data-lead-ignore]')) return
    // Who searches or logs in has sent no form that anybody asks about.
    if (!named && (!auto || form.querySelector('[type=search], [type=password]'))) return
    const traits = {}
    for (const field of form.querySelectorAll('[data-lead-field]')) {
      const chosen = !/checkbox|radio/.test(field.type) || field.checked
      if (chosen && field.value) traits[field.dataset.leadField || field.name] = field.value
    }
    if (Object.keys(traits).length) api.identify(traits)
    const name = form.getAttribute('name') || form.id || undefined
    api.track(named || 'form_submitted', { form: name, path: place().path, ...about(form) })
  }
  const clicked = ({ target }) => {
    const marked = target.closest('[data-lead-event]:not(form)')
    if (marked && !marked.closest('[data-lead-ignore]')) api.track(marked.dataset.leadEvent, about(marked))
  }
  if (auto) {
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name]
      history[name] = function (...args) { original.apply(this, args); moved() }
    }
    addEventListener('popstate', moved)
    addEventListener('hashchange', moved)
  }
  document.addEventListener('submit', submitted, true)
  document.addEventListener('click', clicked, true)
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) return look()
    leave()
    flush()
  })
  addEventListener('pagehide', () => {
    if (routing) api.page()
    leave()
    const [ids, body] = pack()
    busy = consent === 'yes' && ids.length && navigator.sendBeacon(host + '/v1/batch', body)
  })
  addEventListener('pageshow', ({ persisted }) => {
    busy = false
    if (persisted && auto) api.page()
  })
  addEventListener('online', flush)

  const start = () => {
    const call = ([name, ...args]) => api[name] && api[name](...args)
    api.push = call
    api.splice(0).forEach(call)
    if (auto && !page && !api.invoked) api.page()
    keep()
    flush()
  }
  // A page that is made ready in advance is not yet seen.
  document.prerendering ? document.addEventListener('prerenderingchange', start, { once: true }) : start()
})()
