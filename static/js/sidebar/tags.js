/* Tags: why one stands, taking it off, and the sheet in which several are changed at once. */
(function (app) {
  'use strict';

  const RETRY_MS = [2000, 4000, 8000, 15000, 30000];
  const layers = app.layers;
  let edit = null; /* the sheet that is open: {box, held, wanted, version, names, attempt, timer} */

  async function why(chip) {
    if (app.profile.isCovered(chip)) {
      app.actions.uncover(chip);
      return;
    }
    try {
      const html = await app.talk.html(app.profile.path('/tags/' + encodeURIComponent(chip.dataset.tag)));
      layers.popover(html, { label: '为什么有这个标签', opener: chip });
    } catch (problem) {
      gone(problem);
    }
  }

  function gone(problem) {
    if (problem instanceof app.Refusal && problem.status === 404) {
      layers.toast('这个标签已不在了，页面已更新');
      app.profile.refresh();
    } else {
      layers.toast(worded(problem));
    }
  }

  function worded(problem) {
    if (problem instanceof app.Refusal) return problem.message;
    return problem.state === 'offline' ? '网络不通，没有保存，请稍后再试' : '页面出错，请刷新后再试';
  }

  async function change(add, remove, version) {
    return app.talk.json('POST', app.profile.path('/tags'), { add: add, remove: remove, version: version });
  }

  async function remove(pressed) {
    const key = pressed.dataset.tag;
    const name = pressed.dataset.name;
    pressed.disabled = true;
    try {
      const made = await change([], [key], app.profile.version());
      layers.close(true);
      await app.profile.refresh();
      offerUndo('已移除「' + name + '」', made.change_set_id);
    } catch (problem) {
      pressed.disabled = false;
      if (problem instanceof app.Refusal && problem.status === 409) {
        layers.close(true);
        await app.profile.refresh();
        layers.toast('标签刚被他人修改，页面已更新，没有移除「' + name + '」');
      } else {
        layers.toast(worded(problem));
      }
    }
  }

  function offerUndo(text, changeSet) {
    layers.toast(text, { label: '撤销', run: () => undo(changeSet) });
  }

  async function undo(changeSet) {
    try {
      const done = await app.talk.json('POST', '/sidebar/change-sets/' + changeSet + '/undo');
      await app.profile.refresh();
      const kept = done.kept.length;
      layers.toast(kept ? '已撤销；有 ' + kept + ' 个标签之后又被修改，保持现状' : '已撤销');
    } catch (problem) {
      layers.toast(worded(problem));
    }
  }

  /* The sheet. */

  function openSheet(pressed) {
    openFor({
      opener: pressed,
      label: '编辑标签',
      dimension: pressed.dataset.dimension,
      path: app.profile.path('/sheet'),
      save: change,
      saved: async (made, text) => {
        await app.profile.refresh();
        if (made.change_set_id) offerUndo(text, made.change_set_id);
        else layers.toast(text);
      },
    });
  }

  /* Open the sheet on something: where it comes from (`path`), how it is saved, and what is done then. With
     `several` it is about several customers: nobody knows what each has, so a tag is added, removed or left. */
  async function openFor(target) {
    target.opener.disabled = true;
    try {
      const html = await app.talk.html(target.path);
      const box = layers.sheet(html, { label: target.label, opener: target.opener, mayClose: mayClose, onClose: forget });
      edit = read(box, target);
      filterBy(target.dimension || '');
      redraw();
    } catch (problem) {
      layers.toast(worded(problem));
    } finally {
      target.opener.disabled = false;
    }
  }

  function read(box, target) {
    const state = { box: box, target: target, held: new Set(), wanted: new Set(), names: {}, groups: {}, attempt: 0, timer: 0 };
    state.version = Number(box.querySelector('[data-version]').dataset.version);
    box.querySelectorAll('.pick').forEach((pick) => {
      state.names[pick.dataset.tag] = pick.dataset.name;
      if (pick.dataset.single) state.groups[pick.dataset.tag] = pick.dataset.single;
      if (pick.dataset.held) {
        state.held.add(pick.dataset.tag);
        state.wanted.add(pick.dataset.tag);
      }
    });
    return state;
  }

  function difference() {
    const add = [];
    const remove = [];
    edit.wanted.forEach((key) => edit.held.has(key) || add.push(key));
    edit.held.forEach((key) => edit.wanted.has(key) || remove.push(key));
    return { add: add, remove: remove };
  }

  function isChanged() {
    const diff = difference();
    return diff.add.length + diff.remove.length > 0;
  }

  function toggle(pick) {
    const key = pick.dataset.tag;
    if (edit.wanted.has(key)) {
      edit.wanted.delete(key);
      if (edit.target.several) edit.held.add(key); /* to be removed */
    } else if (edit.target.several && edit.held.has(key)) {
      edit.held.delete(key); /* to be left as it is */
    } else {
      const group = edit.groups[key];
      if (group) edit.wanted.forEach((other) => edit.groups[other] === group && edit.wanted.delete(other));
      edit.wanted.add(key);
    }
    redraw();
  }

  function redraw() {
    edit.box.querySelectorAll('.pick').forEach((pick) => {
      const wanted = edit.wanted.has(pick.dataset.tag);
      const held = edit.held.has(pick.dataset.tag);
      pick.setAttribute('aria-pressed', String(wanted));
      pick.classList.toggle('adding', wanted && !held);
      pick.classList.toggle('removing', held && !wanted);
    });
    const diff = difference();
    const words = [];
    const named = (keys) => keys.map((key) => edit.names[key]).join('、');
    if (diff.add.length) words.push('新增 ' + diff.add.length + '：' + named(diff.add));
    if (diff.remove.length) words.push('移除 ' + diff.remove.length + '：' + named(diff.remove));
    edit.box.querySelector('.diff').textContent = words.join('；') || '没有修改';
    edit.box.querySelector('[data-action="save-tags"]').disabled = !words.length;
    if (!words.length) layers.notice('');
  }

  /* Show only what fits the words and the dimension. */
  function filterBy(dimension) {
    edit.dimension = dimension;
    edit.box.querySelectorAll('.pill').forEach((pill) => {
      pill.setAttribute('aria-pressed', String(pill.dataset.dimension === dimension));
    });
    search();
  }

  function search() {
    const words = edit.box.querySelector('.search').value.trim().toLowerCase().replace(/\s+/g, '');
    const found = filter(edit.box.querySelectorAll('[data-group]'), words, (group, shown) => {
      if (group.dataset.group === 'quick') return !words && !edit.dimension;
      return shown > 0 && (!edit.dimension || group.dataset.dimension === edit.dimension);
    });
    edit.box.querySelector('.nothing').hidden = found > 0;
  }

  /* Show those tags of the groups that fit the words, and the groups that `isShown`; return how many tags are seen. */
  function filter(groups, words, isShown) {
    let found = 0;
    groups.forEach((group) => {
      const inName = group.dataset.name ? group.dataset.name.toLowerCase().includes(words) : false;
      let shown = 0;
      group.querySelectorAll('.pick').forEach((pick) => {
        const hit = !words || inName || matches(pick.dataset, words);
        const holder = pick.closest('[data-pick]') || pick;
        holder.hidden = !hit;
        if (hit) shown += 1;
      });
      group.hidden = isShown ? !isShown(group, shown) : !shown;
      if (!group.hidden) found += shown;
    });
    return found;
  }

  function matches(data, words) {
    return [data.name.toLowerCase().replace(/\s+/g, ''), data.pinyin, data.initials].some((text) => text.includes(words));
  }

  async function save() {
    const mine = edit;
    const diff = difference();
    const pressed = mine.box.querySelector('[data-action="save-tags"]');
    clearTimeout(mine.timer);
    pressed.disabled = true;
    pressed.textContent = '正在保存…';
    try {
      const made = await mine.target.save(diff.add, diff.remove, mine.version);
      if (edit !== mine) return;
      finish('已保存', made);
    } catch (problem) {
      if (edit !== mine) return;
      pressed.textContent = '保存';
      pressed.disabled = false;
      if (problem instanceof app.Refusal && problem.status === 409) await rebase(mine);
      else if (problem instanceof app.Problem && problem.state === 'offline') keep(mine);
      else layers.notice(worded(problem), 'bad');
    }
  }

  function finish(text, made) {
    const target = edit.target;
    layers.close(true);
    return target.saved(made, text);
  }

  /* Somebody was faster: take his state, keep the choice made here, and let the member look before he saves. */
  async function rebase(mine) {
    const before = difference();
    const wasAttempt = mine.attempt > 0;
    try {
      const html = await app.talk.html(mine.target.path);
      if (edit !== mine) return;
      const query = mine.box.querySelector('.search').value;
      const dimension = mine.dimension;
      mine.box.innerHTML = html; // our own template
      edit = read(mine.box, mine.target);
      before.add.forEach((key) => key in edit.names && choose(key));
      before.remove.forEach((key) => edit.wanted.delete(key));
      edit.box.querySelector('.search').value = query;
      filterBy(dimension);
      redraw();
      if (!isChanged()) {
        finish(wasAttempt ? '已保存' : '标签已是您要的样子，无需保存', {});
        return;
      }
      layers.notice('标签刚被他人修改。已换成最新内容，您的选择还在，请核对后再保存。', 'waiting');
      edit.box.querySelector('.notice').focus();
    } catch (problem) {
      if (edit === mine) layers.notice('标签已被他人修改，' + worded(problem), 'bad');
    }
  }

  function choose(key) {
    if (!edit.wanted.has(key)) toggle({ dataset: { tag: key } });
  }

  /* The network is away: keep the choice, and save it as soon as it is back. */
  function keep(mine) {
    const wait = RETRY_MS[Math.min(mine.attempt, RETRY_MS.length - 1)];
    mine.attempt += 1;
    layers.notice('网络不通，您的选择已保留，恢复后自动保存。', 'waiting');
    mine.timer = setTimeout(() => edit === mine && save(), wait);
  }

  window.addEventListener('online', () => {
    if (edit && edit.attempt) save();
  });

  const mayClose = () => !edit || !isChanged() || layers.keepUnsaved();

  function forget() {
    if (edit) clearTimeout(edit.timer);
    edit = null;
  }

  document.addEventListener('input', (event) => {
    if (edit && event.target.matches('.search')) search();
  });

  app.actions = app.actions || {};
  Object.assign(app.actions, {
    why: why,
    'remove-tag': remove,
    'edit-tags': openSheet,
    'toggle-tag': toggle,
    'uncover-group': (pressed) => pressed.closest('[data-cover]').classList.add('uncovered'),
    'pick-dimension': (pill) => filterBy(pill.dataset.dimension),
    'save-tags': save,
    undo: (pressed) => undo(pressed.dataset.changeSet),
  });
  app.worded = worded;
  app.tagSheet = { open: openFor, filter: filter };
  app.offerUndo = offerUndo;
})((window.sidebar = window.sidebar || {}));
