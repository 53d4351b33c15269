/* Requests to our own server: fragments of HTML, and JSON with the proof that this page sent it. */
(function (app) {
  'use strict';

  const WAIT_MS = 15000;
  const AGAIN_S = 20;

  /* An answer that says no: `status` and the server's `code` and `message`. */
  class Refusal extends Error {
    constructor(status, body) {
      super((body && body.message) || '系统出错，请稍后再试');
      this.status = status;
      this.code = (body && body.error) || '';
    }
  }

  async function ask(method, path, accept, body) {
    const options = {
      method: method,
      credentials: 'same-origin',
      headers: { Accept: accept, 'X-Requested-With': 'fetch' },
    };
    if (method !== 'GET') {
      options.headers['X-CSRF-Token'] = app.setup.csrf;
      options.headers['Content-Type'] = 'application/json';
      options.body = JSON.stringify(body || {});
    }
    const abort = new AbortController();
    options.signal = abort.signal;
    const timer = setTimeout(() => abort.abort(), WAIT_MS);
    let response;
    try {
      response = await fetch(path, options);
    } catch (error) {
      throw new app.Problem('offline', String(error));
    } finally {
      clearTimeout(timer);
    }
    if (response.status === 401) signIn();
    if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => null));
    return response;
  }

  /* Load the page anew, which leads through the log-in; not twice in a row. */
  function signIn() {
    const now = Date.now();
    let last = 0;
    try {
      last = Number(sessionStorage.getItem('signed-in-at')) || 0;
      sessionStorage.setItem('signed-in-at', String(now));
    } catch (error) {
      last = 0;
    }
    if (now - last > AGAIN_S * 1000) location.reload();
    throw new app.Problem('signed-out');
  }

  app.Refusal = Refusal;
  app.talk = {
    html: (path) => ask('GET', path, 'text/html').then((response) => response.text()),
    json: (method, path, body) => ask(method, path, 'application/json', body).then((response) => response.json()),
  };
})((window.sidebar = window.sidebar || {}));
