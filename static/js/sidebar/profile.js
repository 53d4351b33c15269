/* The profile on the page: fetched, drawn, kept fresh; and the picture for every state in which there is none. */
(function (app) {
  'use strict';

  const main = document.getElementById('main');
  const RETRY_S = [1, 2, 4, 8, 15, 30];
  const HINT_MS = 800;
  const FRESH_MS = 1500;

  let place = null; /* {entry, customer, sends} */
  let drawn = '';
  let shownAt = 0;
  let retries = 0;
  let run = 0;
  let uncovered = new Set();

  const SERVICE_ENTRY = 'single_kf_tools';
  const base = (served) => (served ? '/sidebar/service/customers/' : '/sidebar/customers/');

  /* Return the address of a part of the profile on the page; customer service has addresses of its own. */
  const path = (rest) => base(main.querySelector('[data-served]')) + encodeURIComponent(place.customer) + rest;

  /* Find out whose chat is open and draw him; whatever stands in the way is drawn instead. */
  async function start() {
    const mine = ++run;
    try {
      const found = app.setup.customer ? { entry: 'normal', customer: app.setup.customer, sends: false } : await app.client.look();
      if (mine !== run) return;
      if (!place || place.customer !== found.customer) {
        uncovered = new Set();
        drawn = '';
      }
      place = found;
      await load(mine);
      retries = 0;
    } catch (problem) {
      if (mine === run) fail(problem);
    }
  }

  /* Fetch the profile. A customer who is new to us is asked for at WeCom meanwhile; the skeleton says so. */
  async function load(mine) {
    const hint = setTimeout(() => {
      main.querySelectorAll('[data-hint]').forEach((item) => (item.hidden = false));
    }, HINT_MS);
    try {
      const html = await app.talk.html(base(place.entry === SERVICE_ENTRY) + encodeURIComponent(place.customer));
      if (mine === run) draw(html);
    } finally {
      clearTimeout(hint);
    }
  }

  function fail(problem) {
    if (problem instanceof app.Refusal) {
      if (problem.status === 404) show('not-found');
      else show(problem.code.startsWith('wecom') ? 'late' : 'failed', problem.message);
    } else if (problem instanceof app.Problem) {
      if (problem.state === 'offline' && drawn) app.layers.toast('网络不通，显示的可能不是最新内容', { label: '重试', run: start });
      else show(problem.state, problem.detail);
    } else {
      show('failed', String(problem));
    }
  }

  /* Draw a profile that the server has rendered; nothing is touched if it is what stands there. */
  function draw(html) {
    shownAt = Date.now();
    main.setAttribute('aria-busy', 'false');
    if (html === drawn) return;
    const first = drawn === '';
    const at = window.scrollY;
    const focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : '';
    drawn = html;
    document.title = '客户资料';
    main.innerHTML = html; // rendered and escaped by our own server
    document.body.dataset.sends = !place.sends ? 'no' : place.entry === SERVICE_ENTRY ? 'text' : 'yes';
    uncovered.forEach(uncover);
    if (first) window.scrollTo(0, 0);
    else window.scrollTo(0, at);
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    document.dispatchEvent(new CustomEvent('profile-drawn'));
  }

  /* Draw a state in place of the profile. */
  function show(state, detail) {
    const template = document.getElementById('state-' + state) || document.getElementById('state-failed');
    drawn = '';
    main.setAttribute('aria-busy', 'false');
    main.textContent = '';
    main.append(template.content.cloneNode(true));
    const said = main.querySelector('[data-detail]');
    if (said) {
      said.textContent = detail || '';
      said.hidden = !detail;
    }
    document.title = main.querySelector('h1').textContent;
  }

  /* Try again, each time a little later, so that a client or a server in trouble is not hammered. */
  function retry(pressed) {
    const wait = RETRY_S[Math.min(retries, RETRY_S.length - 1)];
    retries += 1;
    pressed.disabled = true;
    pressed.textContent = '正在重试…';
    setTimeout(start, retries === 1 ? 0 : wait * 1000);
  }

  /* Fetch the profile again without a sign of it, unless somebody is in the middle of something. */
  async function refresh() {
    if (!place || !drawn) return;
    const mine = ++run;
    try {
      await load(mine);
    } catch (problem) {
      if (mine === run) fail(problem);
    }
  }

  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible' || app.layers.isOpen() || Date.now() - shownAt < FRESH_MS) return;
    start();
  });

  /* Sensitive things are covered until tapped, one by one; one tap covers them all again. */
  function uncover(key) {
    main.querySelectorAll('[data-cover]').forEach((item) => {
      if (item.dataset.cover === key) item.classList.add('uncovered');
    });
    main.classList.toggle('some-uncovered', uncovered.size > 0);
  }

  function isCovered(item) {
    return item.dataset.cover !== undefined && !item.classList.contains('uncovered');
  }

  app.actions = app.actions || {};
  app.actions.retry = retry;
  app.actions.uncover = (pressed) => {
    const item = pressed.closest('[data-cover]');
    uncovered.add(item.dataset.cover);
    uncover(item.dataset.cover);
  };
  app.actions['cover-all'] = () => {
    uncovered.clear();
    main.querySelectorAll('.uncovered').forEach((item) => item.classList.remove('uncovered'));
    main.classList.remove('some-uncovered');
  };

  app.start = start;
  app.profile = {
    start: start,
    refresh: refresh,
    show: show,
    path: path,
    version: () => Number(main.querySelector('[data-version]').dataset.version),
    isCovered: isCovered,
    place: () => place,
  };
})((window.sidebar = window.sidebar || {}));
