/* Puts the parts together: one listener for every button, how the page looks, and the first look at the client. */
(function (app) {
  'use strict';

  const YEAR_S = 31536000;

  document.addEventListener('click', (event) => {
    const pressed = event.target.closest('[data-action]');
    if (!pressed || pressed.disabled) return;
    const act = app.actions[pressed.dataset.action];
    if (!act) return;
    event.preventDefault();
    act(pressed, event);
  });

  /* A picture that cannot be fetched gives way to the initial behind it. */
  document.addEventListener(
    'error',
    (event) => {
      if (event.target.matches && event.target.matches('.avatar img')) event.target.remove();
    },
    true,
  );

  /* Theme and size stand in cookies, so that the next page comes drawn that way. */
  function keep(name, value) {
    document.cookie = name + '=' + value + '; path=/; max-age=' + YEAR_S + '; samesite=lax';
  }

  function setTheme(pressed) {
    const value = pressed.dataset.value;
    keep('theme', value);
    document.documentElement.dataset.theme = value;
    mark();
  }

  function setMode(pressed) {
    const care = pressed.getAttribute('aria-pressed') !== 'true';
    keep('mode', care ? 'care' : 'plain');
    document.documentElement.dataset.mode = care ? 'care' : 'plain';
    mark();
  }

  function mark() {
    const root = document.documentElement.dataset;
    document.querySelectorAll('[data-action="theme"]').forEach((choice) => {
      choice.setAttribute('aria-pressed', String(choice.dataset.value === root.theme));
    });
    document.querySelectorAll('[data-action="mode"]').forEach((choice) => {
      choice.setAttribute('aria-pressed', String(root.mode === 'care'));
    });
  }

  Object.assign(app.actions, {
    close: () => app.layers.close(),
    theme: setTheme,
    mode: setMode,
    looks: (pressed) => {
      const content = document.getElementById('looks').content.cloneNode(true);
      app.layers.popover(content, { label: '显示设置', opener: pressed });
      mark();
    },
  });

  app.start();
})((window.sidebar = window.sidebar || {}));
