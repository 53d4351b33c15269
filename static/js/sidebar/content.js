/* 可以这样聊: sending what fits the customer into the chat, and saying back what became of it. */
(function (app) {
  'use strict';

  const layers = app.layers;
  const SEARCH_MS = 250;
  let timer = 0;
  let noted = new Set();
  let customer = '';

  function report(id, result) {
    return app.talk.json('POST', app.profile.path('/content/' + encodeURIComponent(id)), { result: result });
  }

  /* Cards that have come into view were shown; each is reported once a visit. */
  document.addEventListener('profile-drawn', () => {
    if (customer !== app.profile.place().customer) {
      customer = app.profile.place().customer;
      noted = new Set();
    }
    document.querySelectorAll('[data-content-shown]').forEach((card) => {
      const id = card.dataset.contentShown;
      if (noted.has(id)) return;
      noted.add(id);
      report(id, 'shown').catch(() => noted.delete(id));
    });
  });

  async function send(pressed) {
    const label = pressed.textContent;
    pressed.disabled = true;
    try {
      await app.client.send(JSON.parse(pressed.dataset.message));
    } catch (problem) {
      pressed.disabled = false;
      if (problem.state !== 'cancelled') layers.toast('没有发出去：' + (problem.detail || label));
      return;
    }
    pressed.textContent = '已发送';
    report(pressed.dataset.content, 'sent').catch(() => layers.toast('已发送，但没有记录下来'));
  }

  async function dismiss(pressed) {
    pressed.disabled = true;
    try {
      await report(pressed.dataset.content, 'dismissed');
      await app.profile.refresh();
    } catch (problem) {
      pressed.disabled = false;
      layers.toast(app.worded(problem));
    }
  }

  async function openLibrary(pressed) {
    try {
      const html = await app.talk.html('/sidebar/content');
      layers.sheet(html, { label: '话术库', opener: pressed });
    } catch (problem) {
      layers.toast(app.worded(problem));
    }
  }

  document.addEventListener('input', (event) => {
    if (!event.target.matches('[data-library-search]')) return;
    clearTimeout(timer);
    const box = layers.current();
    timer = setTimeout(() => find(box, event.target.value), SEARCH_MS);
  });

  async function find(box, words) {
    try {
      const html = await app.talk.html('/sidebar/content?q=' + encodeURIComponent(words));
      if (layers.current() !== box || box.querySelector('[data-library-search]').value !== words) return;
      const holder = document.createElement('template');
      holder.innerHTML = html; // our own template
      box.querySelector('[data-results]').replaceWith(holder.content.querySelector('[data-results]'));
    } catch (problem) {
      layers.toast(app.worded(problem));
    }
  }

  async function copy(pressed) {
    try {
      await navigator.clipboard.writeText(pressed.dataset.text);
      layers.toast('已复制');
    } catch (error) {
      layers.toast('复制失败，请长按文字复制');
    }
  }

  Object.assign(app.actions, { send: send, dismiss: dismiss, 'open-library': openLibrary, copy: copy });
})((window.sidebar = window.sidebar || {}));
