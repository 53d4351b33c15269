/* What lies above the page: a popover beside a button, a sheet from below, and short messages. One of each at most. */
(function (app) {
  'use strict';

  const FOCUSABLE = 'button:not([disabled]), [href], input:not([disabled]), select, textarea, [tabindex="0"]';
  const TOAST_MS = 5000;
  const TOAST_WITH_ACTION_MS = 8000;
  const EDGE = 8;

  let layer = null; /* {box, mask, opener, isSheet, mayClose} */
  let toastTimer = 0;

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function button(text, className, onClick) {
    const made = element('button', className, text);
    made.type = 'button';
    made.addEventListener('click', onClick);
    return made;
  }

  /* Open a layer over the page. `label` names it; `mayClose` is asked before it goes away by itself. */
  function open(kind, content, options) {
    close(true);
    const box = element('div', kind);
    box.setAttribute('role', 'dialog');
    box.setAttribute('aria-modal', 'true');
    box.setAttribute('aria-label', options.label);
    box.tabIndex = -1;
    if (typeof content === 'string') box.innerHTML = content; // our own template, escaped there
    else box.append(content);
    const mask = element('div', 'mask mask-' + kind);
    const opener = options.opener || document.activeElement;
    layer = { box: box, mask: mask, opener: opener, mayClose: options.mayClose || (() => true), onClose: options.onClose };
    mask.addEventListener('click', () => close());
    document.getElementById('layers').append(mask, box);
    document.getElementById('main').inert = true;
    if (kind === 'sheet') document.documentElement.classList.add('still');
    else place(box, opener);
    (box.querySelector('[data-focus]') || box).focus();
    return box;
  }

  /* Put a popover under its button, or above where there is no room, inside of the window. */
  function place(box, opener) {
    const from = opener.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const high = window.innerHeight;
    const left = Math.min(Math.max(EDGE, from.left), Math.max(EDGE, wide - box.offsetWidth - EDGE));
    const below = from.bottom + 6;
    const fits = below + box.offsetHeight + EDGE < high;
    const top = fits ? below : Math.max(EDGE, from.top - box.offsetHeight - 6);
    box.style.left = left + 'px';
    box.style.top = top + 'px';
    opener.setAttribute('aria-expanded', 'true');
  }

  /* Close the layer, if it may. Returns whether it is closed. */
  function close(force) {
    if (!layer) return true;
    if (!force && !layer.mayClose()) return false;
    const gone = layer;
    layer = null;
    gone.mask.remove();
    gone.box.remove();
    document.getElementById('main').inert = false;
    document.documentElement.classList.remove('still');
    if (gone.opener && gone.opener.removeAttribute) gone.opener.removeAttribute('aria-expanded');
    focusAgain(gone.opener);
    if (gone.onClose) gone.onClose();
    return true;
  }

  /* Give the focus back to where the layer came from; a redrawn page has a twin of that button. */
  function focusAgain(opener) {
    if (!opener || !opener.focus) return;
    if (document.contains(opener)) {
      opener.focus();
      return;
    }
    const twin = opener.id ? document.getElementById(opener.id) : null;
    (twin || document.getElementById('main')).focus();
  }

  document.addEventListener('keydown', (event) => {
    if (!layer) return;
    if (event.key === 'Escape') {
      event.preventDefault();
      close();
    } else if (event.key === 'Tab') {
      trap(event);
    }
  });

  /* Keep the focus inside of the layer where the web view knows no `inert`. */
  function trap(event) {
    const inside = Array.from(layer.box.querySelectorAll(FOCUSABLE)).filter((item) => item.offsetParent !== null);
    if (!inside.length) return;
    const first = inside[0];
    const last = inside[inside.length - 1];
    const at = document.activeElement;
    if (event.shiftKey && (at === first || at === layer.box)) {
      event.preventDefault();
      last.focus();
    } else if (!event.shiftKey && (at === last || !layer.box.contains(at))) {
      event.preventDefault();
      first.focus();
    }
  }

  /* Say something inside of the open sheet: what went wrong, or what becomes of what was written. Empty hides it. */
  function notice(text, kind, buttons) {
    const place = layer.box.querySelector('.notice');
    place.textContent = text;
    place.className = 'notice notice-' + (kind || 'bad');
    (buttons || []).forEach((made) => place.append(made));
    place.hidden = !text;
  }

  /* Ask before changes are thrown away; returns false, so that the sheet stays for now. */
  function keepUnsaved() {
    const discard = button('放弃修改', 'link', () => close(true));
    const stay = button('继续编辑', 'link', () => notice(''));
    notice('修改还没有保存。', 'waiting', [stay, discard]);
    discard.focus();
    return false;
  }

  /* Say something for a few seconds; `action` is {label, run}. */
  function toast(text, action) {
    const place = document.getElementById('toast');
    clearTimeout(toastTimer);
    const box = element('div', 'toast');
    box.append(element('span', 'toast-text', text));
    if (action) {
      box.append(
        button(action.label, 'toast-action', () => {
          hideToast();
          action.run();
        }),
      );
    }
    place.textContent = '';
    place.append(box);
    toastTimer = setTimeout(hideToast, action ? TOAST_WITH_ACTION_MS : TOAST_MS);
  }

  function hideToast() {
    clearTimeout(toastTimer);
    document.getElementById('toast').textContent = '';
  }

  app.layers = {
    popover: (content, options) => open('popover', content, options),
    sheet: (content, options) => open('sheet', content, options),
    close: close,
    current: () => (layer ? layer.box : null),
    isOpen: () => layer !== null,
    notice: notice,
    keepUnsaved: keepUnsaved,
    toast: toast,
    element: element,
    button: button,
  };
})((window.sidebar = window.sidebar || {}));
