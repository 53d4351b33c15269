/* 逐个打标: new customers as a stack of cards, one at a time; the arrows and digits of a keyboard serve too. */
(function (app) {
  'use strict';

  const layers = app.layers;
  const panel = document.getElementById('panel-deck');
  const PERIODS = [
    { key: 'yesterday', name: '昨天', fits: (days) => days === 1 },
    { key: 'today', name: '今天', fits: (days) => days === 0 },
    { key: 'week', name: '近 7 天', fits: () => true },
  ];

  let all = []; /* {external_userid, days_ago} */
  let cards = [];
  let at = 0;
  let period = '';
  let fetched = {}; /* external_userid -> promise of the card's HTML */
  let wanted = new Set();
  let done = new Map(); /* external_userid -> change set, of those tagged in this visit */
  let saving = false;
  let run = 0;

  async function open() {
    app.mine.tab('deck');
    const mine = ++run;
    panel.textContent = '';
    panel.append(document.getElementById('list-skeleton').content.cloneNode(true));
    let found;
    try {
      found = await app.talk.json('GET', '/sidebar/mine/deck');
    } catch (problem) {
      if (mine === run) app.mine.fail(panel, problem, open);
      return;
    }
    if (mine !== run) return;
    all = found.items;
    done = new Map();
    begin(all.some((each) => PERIODS[0].fits(each.days_ago)) ? 'yesterday' : 'week');
  }

  /* Begin with the customers of a period. */
  function begin(key) {
    period = key;
    const fits = PERIODS.find((each) => each.key === key).fits;
    cards = all.filter((each) => fits(each.days_ago)).map((each) => each.external_userid);
    fetched = {};
    at = 0;
    frame();
    turn();
  }

  function frame() {
    panel.textContent = '';
    const top = layers.element('div', 'deck-top');
    const leave = layers.button('‹ 返回', 'link', close);
    leave.id = 'deck-close';
    top.append(leave, layers.element('h2', '', '逐个打标'), layers.element('p', 'soft small deck-at'));
    const choices = layers.element('div', 'choices');
    choices.setAttribute('role', 'group');
    choices.setAttribute('aria-label', '哪天添加的客户');
    PERIODS.forEach((each) => {
      const count = all.filter((one) => each.fits(one.days_ago)).length;
      const pill = layers.button(each.name + ' ' + count, 'pill', () => begin(each.key));
      pill.setAttribute('aria-pressed', String(each.key === period));
      pill.disabled = !count;
      choices.append(pill);
    });
    const bar = layers.element('progress');
    bar.setAttribute('aria-label', '进度');
    const place = layers.element('div', 'deck-place');
    place.setAttribute('aria-live', 'polite');
    panel.append(top, choices, bar, place);
  }

  function card(id) {
    if (!fetched[id]) {
      fetched[id] = app.talk.html('/sidebar/mine/customers/' + encodeURIComponent(id) + '/card');
      fetched[id].catch(() => delete fetched[id]);
    }
    return fetched[id];
  }

  /* Show the card whose turn it is, and fetch the next one meanwhile. */
  async function turn() {
    const mine = ++run;
    const place = panel.querySelector('.deck-place');
    wanted = new Set();
    panel.querySelector('progress').max = Math.max(cards.length, 1);
    panel.querySelector('progress').value = at;
    panel.querySelector('.deck-at').textContent = cards.length ? Math.min(at + 1, cards.length) + '/' + cards.length : '';
    if (at >= cards.length) {
      finished(place);
      return;
    }
    if (!place.querySelector('.deck-card')) place.textContent = '正在打开…';
    try {
      const html = await card(cards[at]);
      if (mine !== run) return;
      place.innerHTML = html; // rendered and escaped by our own server
      place.append(foot());
      redraw();
      panel.querySelector('#deck-next').focus({ preventScroll: true });
      if (at + 1 < cards.length) card(cards[at + 1]).catch(() => {});
    } catch (problem) {
      if (mine !== run) return;
      if (problem instanceof app.Refusal && problem.status === 404) {
        cards.splice(at, 1); /* not his any more */
        turn();
      } else {
        app.mine.fail(place, problem, turn);
      }
    }
  }

  function foot() {
    const bar = layers.element('nav', 'bar deck-bar');
    bar.setAttribute('aria-label', '换客户');
    const back = layers.button('上一位', 'plain', () => go(-1));
    back.id = 'deck-back';
    back.disabled = at === 0;
    const skip = layers.button('跳过', 'plain', () => go(1));
    skip.id = 'deck-skip';
    const next = layers.button('下一位', '', forward);
    next.id = 'deck-next';
    bar.append(back, skip, next);
    return bar;
  }

  function finished(place) {
    place.textContent = '';
    const box = layers.element('div', 'state');
    const tagged = cards.filter((id) => done.has(id)).length;
    box.append(layers.element('h2', '', cards.length ? '看完了' : '没有要打标的新客户'));
    box.append(layers.element('p', 'soft', cards.length ? cards.length + ' 位里打了 ' + tagged + ' 位。' : '新客户都打过标签了。'));
    if (cards.length) {
      const again = layers.button('上一位', 'plain', () => go(-1));
      again.id = 'deck-back';
      box.append(again);
    }
    const leave = layers.button('返回今天', '', close);
    leave.id = 'deck-next';
    box.append(leave);
    place.append(box);
    leave.focus({ preventScroll: true });
  }

  function close() {
    run += 1;
    app.mine.tab('today');
    document.getElementById('tab-today').focus();
  }

  function go(by) {
    if (saving) return;
    at = Math.min(Math.max(at + by, 0), cards.length);
    turn();
  }

  function pick(chip) {
    const key = chip.dataset.tag;
    if (wanted.has(key)) wanted.delete(key);
    else {
      const group = chip.dataset.single;
      panel.querySelectorAll('.big').forEach((other) => {
        if (group && other.dataset.single === group) wanted.delete(other.dataset.tag);
      });
      wanted.add(key);
    }
    redraw();
  }

  function redraw() {
    panel.querySelectorAll('.big').forEach((chip) => chip.setAttribute('aria-pressed', String(wanted.has(chip.dataset.tag))));
    const next = panel.querySelector('.deck-bar #deck-next');
    if (next) next.textContent = wanted.size ? '保存，下一位' : '下一位';
  }

  /* Save what is chosen, if anything, and go on. */
  async function forward() {
    if (!wanted.size) {
      go(1);
      return;
    }
    const shown = panel.querySelector('.deck-card');
    const names = Array.from(panel.querySelectorAll('.big[aria-pressed="true"]')).map((chip) => chip.dataset.name);
    await save(shown, Array.from(wanted), [], names.join('、'), Number(shown.dataset.version));
  }

  async function save(shown, add, remove, words, version) {
    if (saving) return null;
    const id = shown.dataset.customer;
    const next = panel.querySelector('#deck-next');
    saving = true;
    next.disabled = true;
    try {
      const path = '/sidebar/customers/' + encodeURIComponent(id) + '/tags';
      const made = await app.talk.json('POST', path, { add: add, remove: remove, version: version });
      saved(id, shown.dataset.label, words, made);
      return made;
    } catch (problem) {
      next.disabled = false;
      saving = false;
      if (problem instanceof app.Refusal && problem.status === 409) {
        delete fetched[id];
        layers.toast('标签刚被他人修改，已换成最新内容，请再选一次');
        turn();
      } else {
        layers.toast(app.worded(problem));
      }
      return null;
    }
  }

  function saved(id, label, words, made) {
    saving = false;
    delete fetched[id];
    if (made.change_set_id) done.set(id, made.change_set_id);
    go(1);
    const undo = { label: '撤销', run: () => app.mine.undo(made.change_set_id, () => undone(id)) };
    layers.toast(label + '：' + words, made.change_set_id ? undo : undefined);
  }

  /* Come back to the customer whose tags were taken off again. */
  function undone(id) {
    done.delete(id);
    delete fetched[id];
    const place = cards.indexOf(id);
    if (place < 0 || panel.hidden) return;
    at = place;
    turn();
  }

  function openSheet(pressed) {
    const shown = panel.querySelector('.deck-card');
    const id = shown.dataset.customer;
    const path = '/sidebar/customers/' + encodeURIComponent(id);
    app.tagSheet.open({
      opener: pressed,
      label: '编辑标签',
      path: path + '/sheet',
      save: (add, remove, version) => app.talk.json('POST', path + '/tags', { add: add, remove: remove, version: version }),
      saved: (made) => saved(id, shown.dataset.label, '已保存', made),
    });
  }

  document.addEventListener('keydown', (event) => {
    if (panel.hidden || layers.isOpen() || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.matches('input, textarea, select')) return;
    const chips = panel.querySelectorAll('.big');
    if (event.key === 'ArrowRight' && panel.querySelector('.deck-bar')) forward();
    else if (event.key === 'ArrowLeft') go(-1);
    else if (event.key === 'Escape') close();
    else if (/^[1-9]$/.test(event.key) && chips[event.key - 1]) pick(chips[event.key - 1]);
    else return;
    event.preventDefault();
  });

  app.actions = app.actions || {};
  Object.assign(app.actions, { deck: open, 'deck-pick': pick, 'deck-sheet': openSheet });
})((window.sidebar = window.sidebar || {}));
