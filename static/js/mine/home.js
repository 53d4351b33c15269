/* The page 我的客户: its tabs, today's list, and the ways from here to a chat. */
(function (app) {
  'use strict';

  const layers = app.layers;
  const main = document.getElementById('main');
  const panels = { today: document.getElementById('panel-today'), all: document.getElementById('panel-all'), deck: document.getElementById('panel-deck') };
  const FRESH_MS = 15000;
  let run = 0;
  let shownAt = 0;
  let current = '';

  function tab(name) {
    current = name;
    Object.keys(panels).forEach((each) => (panels[each].hidden = each !== name));
    document.querySelector('.tabs').hidden = name === 'deck';
    document.querySelectorAll('[role="tab"]').forEach((each) => {
      const chosen = each.dataset.tab === name;
      each.setAttribute('aria-selected', String(chosen));
      each.tabIndex = chosen ? 0 : -1;
    });
    if (name !== 'all') app.list.leave();
    if (name === 'today') {
      history.replaceState(null, '', '#today');
      today();
    } else if (name === 'all') {
      app.list.show();
    }
    main.setAttribute('aria-busy', 'false');
  }

  async function today() {
    const mine = ++run;
    try {
      const html = await app.talk.html('/sidebar/mine/today');
      if (mine !== run) return;
      shownAt = Date.now();
      panels.today.innerHTML = html; // rendered and escaped by our own server
      const count = Number(panels.today.querySelector('[data-count]').dataset.count);
      document.querySelector('[data-today-count]').textContent = count ? ' ' + count : '';
    } catch (problem) {
      if (mine === run) fail(panels.today, problem, today);
    }
  }

  /* Draw what went wrong in place of a part of the page, with a way to try again. */
  function fail(place, problem, again) {
    const state = problem instanceof app.Problem ? problem.state : 'failed';
    const template = document.getElementById('state-' + state) || document.getElementById('state-failed');
    place.textContent = '';
    place.append(template.content.cloneNode(true));
    const said = place.querySelector('[data-detail]');
    if (said) {
      said.textContent = problem.message || '';
      said.hidden = !problem.message;
    }
    const button = place.querySelector('[data-action="retry"]');
    button.removeAttribute('data-action');
    button.addEventListener('click', () => {
      button.disabled = true;
      again();
    });
  }

  async function undo(changeSet, then) {
    try {
      const done = await app.talk.json('POST', '/sidebar/change-sets/' + changeSet + '/undo');
      then();
      layers.toast(done.kept.length ? '已撤销；有 ' + done.kept.length + ' 个标签之后又被修改，保持现状' : '已撤销');
    } catch (problem) {
      layers.toast(app.worded(problem));
    }
  }

  async function noteDone(pressed) {
    const path = '/sidebar/follow-ups/' + pressed.dataset.followUp;
    pressed.disabled = true;
    try {
      await app.talk.json('PATCH', path, { done: true });
      await today();
      layers.toast('已完成', {
        label: '撤销',
        run: () => app.talk.json('PATCH', path, { done: false }).then(today, (problem) => layers.toast(app.worded(problem))),
      });
    } catch (problem) {
      pressed.disabled = false;
      layers.toast(app.worded(problem));
    }
  }

  /* The arrows of a keyboard go from tab to tab. */
  document.querySelector('.tabs').addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const other = current === 'today' ? 'all' : 'today';
    tab(other);
    document.getElementById('tab-' + other).focus();
  });

  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible' || layers.isOpen() || current !== 'today') return;
    if (Date.now() - shownAt > FRESH_MS) today();
  });

  function start() {
    const from = location.hash.slice(1).split('?');
    if (from[0] === 'all') app.list.recall(from.slice(1).join('?'));
    tab(from[0] === 'all' ? 'all' : 'today');
  }

  app.actions = app.actions || {};
  Object.assign(app.actions, {
    tab: (pressed) => tab(pressed.dataset.tab),
    'note-done': noteDone,
    'all-new': () => {
      app.list.only({ within: '7', untagged: '1' });
      tab('all');
    },
  });
  app.mine = { tab: tab, fail: fail, undo: undo };
  app.start = start;
})((window.sidebar = window.sidebar || {}));
