// The tracker for web pages: page views and how long they are in view, route changes, forms, marked clicks, under the
// method names of analytics.js, so that Segment's snippet loads it with only its host changed. docs/tracking.md says how
// to use it. It is served as it stands here but for comments and indentation, so nothing may span lines that ends in them.
(() => {
  const script = document.currentScript
  const [, host, writeKey] = /(.*)\/analytics\.js\/v1\/([^/]+)/.exec(script.src)
  const global = script.dataset.globalSegmentAnalyticsKey || 'analytics'
  // An element of the page whose id is that name is no property of the window's own.
  if (Object.hasOwn(window, global) && window[global] && !Array.isArray(window[global])) {
    return console.warn('leadscore: window.' + global + ' is of another script; data-global-segment-analytics-key names ours')
  }
  // A snippet, or the page, may have left calls here for us, each as [method, ...arguments].
  const api = (window[global] = Array.isArray(window[global]) ? window[global] : [])
  if (api.initialized) return
  const options = { ...script.dataset, ...api._loadOptions }
  const auto = ![false, 'off'].includes(options.auto)
  // Of what others wrote, nothing that fails may stop us.
  const attempt = (act) => { try { act() } catch (error) { console.error('leadscore:', error) } }

  // What is kept has names. The first are those of analytics.js, so that a visitor whom it knew stays the same.
  const DEVICE = 'ajs_anonymous_id'
  const PERSON = ['ajs_user_id', 'ajs_user_traits']
  const COMPANY = ['ajs_group_id', 'ajs_group_properties']
  const CONSENT = 'leadscore_consent'
  // Each message has a name of its own, so that two tabs cannot overwrite what the other one keeps.
  const QUEUE = 'leadscore_queue_'
  const MOST_QUEUED = 200
  // A beacon takes 64 KiB, and a character at most three bytes.
  const MOST_CHARACTERS = 20000

  // Storage is read again each time, since other tabs write there too: who refuses in one has refused in all. What must
  // not be stored yet, or cannot be where it is closed or full, is in this page's memory.
  const memory = {}
  let storage = {}
  try { storage = localStorage || storage } catch {}
  const recall = (name) => { try { return JSON.parse(memory[name] || storage[name]) } catch {} }
  const forget = (name) => { delete memory[name]; delete storage[name] }
  const store = (name) => { try { storage[name] = memory[name]; delete memory[name] } catch {} }
  const remember = (name, value) => {
    memory[name] = JSON.stringify(value)
    if (consent() === 'yes') store(name)
    return value
  }
  const fresh = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('')

  // 'yes' sends, 'no' does nothing at all, and before one of them is said, what happens is held in memory; so it is while
  // a page is made ready in advance, which nobody has seen yet.
  const objected = navigator.globalPrivacyControl || navigator.doNotTrack === '1'
  const consent = () =>
    objected ? 'no' : !document.prerendering && (storage[CONSENT] || memory[CONSENT] || (options.consent !== 'required' && 'yes'))
  const device = () => recall(DEVICE) || remember(DEVICE, fresh())
  const known = ([ID, TRAITS]) => ({
    id: () => recall(ID),
    traits: () => recall(TRAITS) || {},
    identify(id, traits) {
      const other = id && recall(ID) && recall(ID) !== '' + id
      remember(TRAITS, { ...(!other && recall(TRAITS)), ...traits })
      if (id) remember(ID, '' + id)
    }
  })
  const person = known(PERSON)
  const company = known(COMPANY)

  // Sending. A message leaves the queue only once the service has answered for it; if it had arrived all the same, the
  // service knows its id.
  let timer, busy, resting, failures = 0, made = 0
  const later = (milliseconds) => {
    timer ||= setTimeout(() => { timer = resting = 0; flush() }, milliseconds)
  }
  // Oldest first, as their names sort.
  const queue = () => [storage, memory].flatMap(Object.keys).filter((name) => name.startsWith(QUEUE)).sort()
  const pack = () => {
    if (consent() !== 'yes') return [[]]
    Object.keys(memory).forEach(store)
    const names = queue()
    const text = () => JSON.stringify({ batch: names.map(recall), writeKey, sentAt: new Date() })
    while (names.length > 1 && text().length > MOST_CHARACTERS) names.length >>= 1
    return [names, text()]
  }
  const flush = async () => {
    const [names, body] = pack()
    if (busy || resting || !names.length) return
    busy = true
    let wait = Math.min(2 ** failures++, 60)
    try {
      // A text needs no preflight; a redirected POST would be lost and look like a success.
      const keepalive = body.length <= MOST_CHARACTERS
      const answer = await fetch(host + '/v1/batch', { method: 'POST', body, keepalive, redirect: 'error', credentials: 'omit' })
      if (answer.status < 500 && ![408, 429].includes(answer.status)) {
        names.forEach(forget)
        wait = failures = 0
        const said = await answer.text()
        if (!answer.ok || /"rejected":\[[^\]]/.test(said)) console.warn('leadscore:', answer.status, said)
      } else {
        // The service has asked for it, so nothing that happens meanwhile cuts it short.
        resting = wait = Math.max(wait, +answer.headers.get('Retry-After') || 0)
      }
    } catch {}
    busy = false
    if (wait) {
      clearTimeout(timer)
      timer = 0
      later(1000 * wait)
    } else flush()
  }

  const listeners = {}
  const record = (type, fields, options, page = place()) => {
    const { context, anonymousId, userId, timestamp, messageId } = options ||= {}
    if (consent() === 'no') queue().forEach(forget)
    else {
      queue().slice(0, 1 - MOST_QUEUED).forEach(forget)
      const id = fresh()
      remember(QUEUE + (Date.now() * 1000 + made++) + id, {
        type,
        messageId: messageId || id,
        anonymousId: anonymousId || device(),
        userId: userId || person.id(),
        timestamp: timestamp || new Date(),
        ...fields,
        context: { page, userAgent: navigator.userAgent, locale: navigator.language, library: { name: 'leadscore.js' }, ...context }
      })
      later(100)
    }
    for (const listener of listeners[type] || []) attempt(() => listener(...Object.values(fields), options))
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
    clearTimeout(routing)
    // The title follows the route; and if the page says itself what is in view, or goes back at once, that is enough.
    routing = page && place().path !== page.path && setTimeout(api.page, 300)
  }

  // The arguments of analytics.js: texts, then two objects; any may be missing.
  const texts = (args, most) => {
    const found = []
    while (found.length < most && args.length && (typeof args[0] !== 'object' || !args[0])) found.push(args.shift())
    return found
  }
  const seen = (type) => (args) => {
    const [name, category] = texts(args, 2).filter((text) => text).reverse()
    record(type, { category, name, properties: args[0] || {} }, args[1])
  }
  const calls = {
    track(args) {
      const [event] = texts(args, 1)
      record('track', { event, properties: args[0] || {} }, args[1])
    },
    page(args) {
      leave()
      clearTimeout(routing)
      if (routing) referrer = page.url
      routing = inView = told = 0
      page = place()
      look()
      seen('page')(args)
    },
    screen: seen('screen'),
    identify(args) {
      const [id] = texts(args, 1)
      person.identify(id, args[0])
      record('identify', { userId: person.id(), traits: args[0] || {} }, args[1])
    },
    group(args) {
      const [id] = texts(args, 1)
      company.identify(id, args[0])
      record('group', { groupId: company.id(), traits: args[0] || {} }, args[1])
    },
    alias(args) {
      const [userId, previousId] = texts(args, 2)
      record('alias', { userId, previousId: previousId || person.id() || device() }, args[0])
    }
  }
  for (const name in calls) {
    api[name] = async (...args) => {
      // Snippets add what page it was; callers may add what is to be done afterwards.
      calls[name](args.filter((arg) => typeof arg !== 'function' && !(arg && arg.__t)))
      for (const arg of args) if (typeof arg === 'function') attempt(arg)
    }
  }
  const { group } = api
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
    group: (...args) => (args.length ? group(...args) : company),
    user: () => ({ ...person, anonymousId: (id) => (id === undefined ? device() : api.setAnonymousId(id)) }),
    setAnonymousId: (id) => remember(DEVICE, id ? '' + id : fresh()),
    reset() { [DEVICE, ...PERSON, ...COMPANY].forEach(forget) },
    ready(then) { then() },
    on(name, listener) { (listeners[name] ||= []).push(listener) },
    off(name, listener) { listeners[name] = (listeners[name] || []).filter((known) => known !== listener) },
    once(name, listener) {
      const first = (...args) => { api.off(name, first); listener(...args) }
      api.on(name, first)
    },
    consent(given) {
      if (objected) return
      // In this order, since where storage is full there is no room for the answer before.
      if (!given) { queue().forEach(forget); api.reset() }
      forget(CONSENT)
      memory[CONSENT] = given ? 'yes' : 'no'
      store(CONSENT)
      flush()
    }
  })
  for (const name of ['debug', 'register', 'addSourceMiddleware', 'addIntegrationMiddleware', 'addDestinationMiddleware']) {
    api[name] = () => api
  }

  // What happens by itself.
  const about = (element) => {
    const properties = element.hasAttribute('href') ? { href: element.href } : {}
    for (const name in element.dataset) {
      if (/^lead[A-Z]/.test(name) && name !== 'leadEvent') properties[name[4].toLowerCase() + name.slice(5)] = element.dataset[name]
    }
    return properties
  }
  // A dotted name is a place in an object, as company.employees is. A text for the object itself, company, is its name.
  // The objects have no prototype, so that every name is only a name.
  const plain = (name) => Object.assign(Object.create(null), name && { name })
  const put = (at, path, value) => {
    const parts = /^\.|\.$|\.\./.test(path) ? [path] : path.split('.')
    const last = parts.pop()
    for (const part of parts) at = typeof at[part] === 'object' ? at[part] : (at[part] = plain(at[part]))
    if (typeof at[last] === 'object') at[last].name ||= value
    else at[last] = value
  }
  const submitted = ({ target: form }) => {
    const named = form.dataset.leadEvent
    if (form.closest('[data-lead-ignore]')) return
    // Who searches or logs in has sent no form that anybody asks about.
    if (!named && (!auto || form.querySelector('[type=search], [type=password]'))) return
    const traits = plain()
    for (const field of form.querySelectorAll('[data-lead-field]')) {
      const chosen = !/checkbox|radio/.test(field.type) || field.checked
      if (chosen && field.value) put(traits, field.dataset.leadField || field.name, field.value)
    }
    if (Object.keys(traits).length) api.identify(traits)
    // A field called id or href hides the form's own property.
    const name = form.getAttribute('name') || form.getAttribute('id') || undefined
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
    const [names, body] = pack()
    busy = names.length && navigator.sendBeacon(host + '/v1/batch', body)
  })
  addEventListener('pageshow', ({ persisted }) => {
    busy = false
    if (persisted && auto) api.page()
  })
  addEventListener('online', flush)

  const start = () => {
    api.push = (call) => attempt(() => { const [name, ...args] = call; api[name](...args) })
    api.splice(0).forEach(api.push)
    if (auto && !page && !api.invoked) api.page()
    flush()
  }
  // A page that is made ready in advance is not yet seen.
  document.prerendering ? document.addEventListener('prerenderingchange', start, { once: true }) : start()
})()
