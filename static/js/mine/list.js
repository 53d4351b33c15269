/* 全部: one's customers, searched, narrowed, sorted, page by page; and a selection of them to tag at once. */
(function (app) {
  'use strict';

  const SEARCH_MS = 250;
  const MOST = 200;
  const layers = app.layers;
  const rows = document.getElementById('rows');
  const find = document.getElementById('find');
  const sort = document.getElementById('sort');
  const blank = () => ({ q: '', tags: [], mode: 'any', source: '', within: '', untagged: '', sort: 'newest', names: {} });

  let state = blank();
  let run = 0;
  let timer = 0;
  let loaded = '';
  let selected = new Map(); /* external_userid -> name */
  let selecting = false;

  function query(cursor) {
    const given = new URLSearchParams();
    ['q', 'source', 'within', 'untagged'].forEach((name) => state[name] && given.set(name, state[name]));
    state.tags.forEach((key) => given.append('tag', key));
    if (state.tags.length && state.mode !== 'any') given.set('mode', state.mode);
    if (state.sort !== 'newest') given.set('sort', state.sort);
    if (cursor) given.set('cursor', cursor);
    return given.toString();
  }

  /* What is looked for stands behind the `#`: it survives a way to a profile and back, and is not signed. */
  function remember() {
    const given = query();
    const names = Object.keys(state.names).length ? '&names=' + encodeURIComponent(JSON.stringify(state.names)) : '';
    history.replaceState(null, '', '#all' + (given ? '?' + given + names : ''));
  }

  function recall(text) {
    const given = new URLSearchParams(text);
    state = blank();
    ['q', 'mode', 'source', 'within', 'untagged', 'sort'].forEach((name) => {
      if (given.get(name)) state[name] = given.get(name);
    });
    state.tags = given.getAll('tag');
    try {
      state.names = Object.assign({}, JSON.parse(given.get('names') || '{}'));
    } catch (error) {
      state.names = {};
    }
  }

  async function show(force) {
    const wanted = query();
    find.value = state.q;
    sort.value = state.sort;
    sayChosen();
    remember();
    if (!force && loaded === wanted && rows.firstElementChild) return;
    const mine = ++run;
    rows.textContent = '';
    rows.append(document.getElementById('list-skeleton').content.cloneNode(true));
    try {
      const html = await app.talk.html('/sidebar/mine/list' + (wanted ? '?' + wanted : ''));
      if (mine !== run) return;
      loaded = wanted;
      rows.innerHTML = html; // rendered and escaped by our own server
      tick();
    } catch (problem) {
      if (mine === run) app.mine.fail(rows, problem, () => show(true));
    }
  }

  async function more(pressed) {
    const mine = run;
    pressed.disabled = true;
    pressed.textContent = '正在加载…';
    try {
      const html = await app.talk.html('/sidebar/mine/list?' + query(pressed.dataset.cursor));
      if (mine !== run) return;
      const holder = document.createElement('template');
      holder.innerHTML = html; // rendered and escaped by our own server
      const first = holder.content.querySelector('.row-link');
      rows.querySelector('.rows').append(...holder.content.querySelectorAll('.row'));
      const next = holder.content.querySelector('.more');
      if (next) pressed.closest('.more').replaceWith(next);
      else pressed.closest('.more').remove();
      tick();
      if (first) first.focus({ preventScroll: true });
    } catch (problem) {
      pressed.disabled = false;
      pressed.textContent = '更多客户';
      layers.toast(app.worded(problem));
    }
  }

  find.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      state.q = find.value.trim();
      show();
    }, SEARCH_MS);
  });
  sort.addEventListener('change', () => {
    state.sort = sort.value;
    show();
  });

  /* Filters. */

  function said() {
    const words = state.tags.map((key) => state.names[key] || key);
    const found = [];
    const mode = { all: '都有：', none: '没有：', any: '' }[state.mode];
    if (words.length) found.push({ part: 'tags', text: mode + words.join('、') });
    if (state.source) found.push({ part: 'source', text: '来源：' + (state.names[state.source] || state.source) });
    if (state.within) found.push({ part: 'within', text: state.within === '1' ? '今天添加' : '近 ' + state.within + ' 天添加' });
    if (state.untagged) found.push({ part: 'untagged', text: '还没打标签' });
    return found;
  }

  function sayChosen() {
    const place = document.querySelector('[data-chosen]');
    const parts = said();
    place.textContent = '';
    parts.forEach((each) => {
      const made = layers.button(each.text + ' ×', 'pill', () => {
        state[each.part] = blank()[each.part];
        if (each.part === 'tags') state.mode = 'any';
        show();
        document.getElementById('open-filters').focus();
      });
      made.setAttribute('aria-label', '去掉筛选：' + each.text);
      place.append(made);
    });
    place.hidden = !parts.length;
    document.querySelector('[data-filter-count]').textContent = parts.length ? ' ' + parts.length : '';
  }

  let draft = null; /* what is chosen in the open sheet */

  async function openFilters(pressed) {
    try {
      const html = await app.talk.html('/sidebar/mine/filters');
      draft = Object.assign({}, state, { tags: state.tags.slice(), names: Object.assign({}, state.names) });
      layers.sheet(html, { label: '筛选', opener: pressed, onClose: () => (draft = null) });
      markFilters();
    } catch (problem) {
      layers.toast(app.worded(problem));
    }
  }

  function markFilters() {
    const box = layers.current();
    box.querySelectorAll('[data-one] .pill').forEach((pill) => {
      const name = pill.closest('[data-one]').dataset.one;
      pill.setAttribute('aria-pressed', String(String(draft[name]) === pill.dataset.value));
    });
    box.querySelectorAll('.pick').forEach((pick) => pick.setAttribute('aria-pressed', String(draft.tags.includes(pick.dataset.tag))));
  }

  function pickFilter(pill) {
    const name = pill.closest('[data-one]').dataset.one;
    const value = pill.dataset.value;
    draft[name] = String(draft[name]) === value && name !== 'mode' ? '' : value;
    if (pill.dataset.name && name === 'source') draft.names[value] = pill.dataset.name;
    markFilters();
  }

  function pickTag(pick) {
    const key = pick.dataset.tag;
    draft.tags = draft.tags.includes(key) ? draft.tags.filter((each) => each !== key) : draft.tags.concat(key);
    draft.names[key] = pick.dataset.name;
    markFilters();
  }

  document.addEventListener('input', (event) => {
    if (!draft || !event.target.matches('.search')) return;
    const words = event.target.value.trim().toLowerCase().replace(/\s+/g, '');
    const box = layers.current();
    box.querySelectorAll('[data-one]').forEach((group) => (group.hidden = Boolean(words)));
    box.querySelector('.nothing').hidden = app.tagSheet.filter(box.querySelectorAll('[data-tags]'), words) > 0;
  });

  function applyFilters() {
    state = draft;
    layers.close(true);
    show();
  }

  function clear() {
    const order = state.sort;
    state = blank();
    state.sort = order;
    if (layers.isOpen()) layers.close(true);
    show();
    find.focus();
  }

  /* A selection. */

  function setSelecting(on) {
    selecting = on;
    if (!on) selected = new Map();
    document.body.classList.toggle('selecting', on);
    document.getElementById('select').setAttribute('aria-pressed', String(on));
    const bar = document.querySelector('.selection');
    if (on && !bar) document.getElementById('main').append(document.getElementById('selection-bar').content.cloneNode(true));
    if (!on && bar) bar.remove();
    tick();
  }

  function tick() {
    rows.querySelectorAll('[data-tick]').forEach((box) => {
      box.checked = selected.has(box.closest('.row').dataset.customer);
      box.closest('.row').classList.toggle('ticked', box.checked);
    });
    if (!selecting) return;
    document.querySelector('[data-selected]').textContent = selected.size ? '已选 ' + selected.size + ' 位' : '点客户来选';
    document.querySelector('[data-action="tag-selection"]').disabled = !selected.size;
    const boxes = rows.querySelectorAll('[data-tick]');
    const all = boxes.length > 0 && selected.size >= Math.min(boxes.length, MOST);
    document.querySelector('[data-action="select-all"]').textContent = all ? '全不选' : '全选';
  }

  function choose(row, on) {
    if (!on) selected.delete(row.dataset.customer);
    else if (selected.size < MOST) selected.set(row.dataset.customer, row.dataset.label);
    else layers.toast('一次最多选 ' + MOST + ' 位');
    tick();
  }

  rows.addEventListener('change', (event) => {
    if (event.target.matches('[data-tick]')) choose(event.target.closest('.row'), event.target.checked);
  });
  rows.addEventListener('click', (event) => {
    const link = selecting && event.target.closest('.row-link');
    if (!link) return;
    event.preventDefault();
    const row = link.closest('.row');
    if (row.querySelector('[data-tick]')) choose(row, !selected.has(row.dataset.customer));
    else layers.toast('通过好友申请后才能打标签');
  });

  function selectAll() {
    const boxes = Array.from(rows.querySelectorAll('[data-tick]'));
    if (selected.size >= Math.min(boxes.length, MOST)) selected = new Map();
    else {
      boxes.forEach((box) => {
        const row = box.closest('.row');
        if (selected.size < MOST) selected.set(row.dataset.customer, row.dataset.label);
      });
      if (boxes.length > MOST) layers.toast('一次最多选 ' + MOST + ' 位，选了前 ' + MOST + ' 位');
    }
    tick();
  }

  function tagSelection(pressed) {
    const chosen = new Map(selected);
    app.tagSheet.open({
      opener: pressed,
      label: '给选中的 ' + chosen.size + ' 位客户打标签',
      path: '/sidebar/mine/sheet',
      several: true,
      save: (add, remove) =>
        app.talk.json('POST', '/sidebar/mine/tags', { customers: Array.from(chosen.keys()), add: add, remove: remove }),
      saved: (made) => {
        setSelecting(false);
        show(true);
        report(made, chosen);
      },
    });
  }

  function report(made, chosen) {
    const odd = made.results.filter((each) => each.outcome === 'not_yours' || each.outcome === 'not_done');
    const same = made.results.filter((each) => each.outcome === 'unchanged').length;
    let words = made.changed ? '已更新 ' + made.changed + ' 位客户' : '没有改动';
    if (same) words += '，' + same + ' 位原本就是这样';
    if (odd.length) {
      words += '，' + odd.length + ' 位没有改成';
      const list = layers.element('ul', 'notes');
      odd.forEach((each) => list.append(layers.element('li', '', (chosen.get(each.external_userid) || '') + '：' + each.words)));
      const content = layers.element('div');
      const close = layers.button('知道了', 'plain', () => layers.close(true));
      const foot = layers.element('p', 'buttons');
      foot.append(close);
      content.append(layers.element('h2', '', '有客户没有改成'), list, foot);
      layers.popover(content, { label: '没有改成的客户', opener: document.getElementById('select') });
    }
    const undo = { label: '撤销', run: () => app.mine.undo(made.change_set_id, () => show(true)) };
    layers.toast(words, made.change_set_id ? undo : undefined);
  }

  app.actions = app.actions || {};
  Object.assign(app.actions, {
    more: more,
    filters: openFilters,
    filter: pickFilter,
    'filter-tag': pickTag,
    'apply-filters': applyFilters,
    'clear-filters': clear,
    select: () => setSelecting(!selecting),
    'select-all': selectAll,
    'tag-selection': tagSelection,
  });
  app.list = {
    show: show,
    recall: recall,
    leave: () => setSelecting(false),
    only: (wanted) => {
      state = Object.assign(blank(), wanted);
    },
  };
})((window.sidebar = window.sidebar || {}));
