/* What members write: follow-up notes with a date that reminds, the remark at WeCom, and the profile fields. */
(function (app) {
  'use strict';

  const layers = app.layers;
  const HOUR = 10;
  let form = null; /* {box, save, before} of the sheet that is open */

  function openForm(content, options) {
    const box = layers.sheet(content, { label: options.label, opener: options.opener, mayClose: mayClose, onClose: forget });
    form = { box: box, save: options.save, before: '' };
    if (options.prepare) options.prepare(box);
    form.before = written();
    const first = box.querySelector('[data-focus]');
    if (first) first.focus();
  }

  function written() {
    return Array.from(form.box.querySelectorAll('input, textarea, select'))
      .map((field) => (field.type === 'radio' || field.type === 'checkbox' ? String(field.checked) : field.value))
      .join('\n');
  }

  const mayClose = () => !form || written() === form.before || layers.keepUnsaved();

  function forget() {
    form = null;
  }

  async function submit(pressed) {
    const mine = form;
    pressed.disabled = true;
    try {
      const text = await mine.save(mine.box);
      if (form === mine) layers.close(true);
      await app.profile.refresh();
      if (text) layers.toast(text);
    } catch (problem) {
      if (form !== mine) return;
      const offline = problem instanceof app.Problem && problem.state === 'offline';
      layers.notice(offline ? '网络不通，写的内容还在，请稍后再点保存。' : app.worded(problem));
    } finally {
      pressed.disabled = false;
    }
  }

  const copied = (id) => document.getElementById(id).content.cloneNode(true);
  const two = (number) => String(number).padStart(2, '0');
  const localDay = (moment) => [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join('-');

  /* Follow-ups. */

  function openFollowUp(pressed) {
    const id = pressed.dataset.followUp;
    openForm(copied('follow-up-form'), {
      label: id ? '修改跟进' : '写跟进',
      opener: pressed,
      prepare: (box) => prepareFollowUp(box, pressed.dataset),
      save: (box) => saveFollowUp(box, id),
    });
  }

  function prepareFollowUp(box, data) {
    const today = new Date();
    box.querySelector('h2').textContent = data.followUp ? '修改跟进' : '写跟进';
    box.querySelector('[name="text"]').value = data.text || '';
    box.querySelector('[name="day"]').min = localDay(today);
    if (data.remindAt) setReminder(box, new Date(data.remindAt));
  }

  function setReminder(box, moment) {
    box.querySelector('[name="day"]').value = localDay(moment);
    box.querySelector('[name="time"]').value = two(moment.getHours()) + ':' + two(moment.getMinutes());
    markPresets(box, '');
  }

  function pickPreset(pressed) {
    const box = layers.current();
    const days = pressed.dataset.days;
    if (days === '') {
      box.querySelector('[name="day"]').value = '';
    } else {
      const moment = new Date();
      moment.setDate(moment.getDate() + Number(days));
      moment.setHours(HOUR, 0, 0, 0);
      setReminder(box, moment);
    }
    markPresets(box, days);
  }

  function markPresets(box, days) {
    const none = !box.querySelector('[name="day"]').value;
    box.querySelectorAll('[data-days]').forEach((preset) => {
      preset.setAttribute('aria-pressed', String(none ? preset.dataset.days === '' : preset.dataset.days === days && days !== ''));
    });
  }

  async function saveFollowUp(box, id) {
    const day = box.querySelector('[name="day"]').value;
    const time = box.querySelector('[name="time"]').value || two(HOUR) + ':00';
    const body = {
      text: box.querySelector('[name="text"]').value.trim(),
      remind_at: day ? new Date(day + 'T' + time).toISOString() : null,
    };
    if (id) await app.talk.json('PATCH', '/sidebar/follow-ups/' + id, body);
    else await app.talk.json('POST', app.profile.path('/follow-ups'), body);
    return day ? '已保存，到时会提醒您' : '已保存';
  }

  async function markDone(pressed) {
    pressed.disabled = true;
    const done = pressed.dataset.done !== 'yes';
    await quietly(pressed, 'PATCH', { done: done }, done ? '已完成' : '已改回未完成');
  }

  async function removeFollowUp(pressed) {
    if (pressed.dataset.sure !== 'yes') {
      pressed.dataset.sure = 'yes';
      pressed.textContent = '确认删除';
      return;
    }
    await quietly(pressed, 'DELETE', undefined, '已删除');
  }

  async function quietly(pressed, method, body, text) {
    try {
      await app.talk.json(method, '/sidebar/follow-ups/' + pressed.dataset.followUp, body);
      await app.profile.refresh();
      layers.toast(text);
    } catch (problem) {
      pressed.disabled = false;
      layers.toast(app.worded(problem));
    }
  }

  /* The remark at WeCom. */

  function openRemark(pressed) {
    openForm(copied('remark-form'), { label: '修改备注', opener: pressed, save: saveRemark });
  }

  async function saveRemark(box) {
    const phones = Array.from(box.querySelectorAll('[name="phone"]'), (field) => field.value.trim()).filter(Boolean);
    await app.talk.json('POST', app.profile.path('/remark'), {
      remark: box.querySelector('[name="remark"]').value.trim(),
      description: box.querySelector('[name="description"]').value.trim(),
      phones: phones,
    });
    return '已保存，正在写到企业微信';
  }

  /* Profile fields. */

  function openFields(pressed) {
    openForm(copied('fields-form'), { label: '编辑资料', opener: pressed, prepare: remember, save: saveFields });
  }

  function remember(box) {
    box.querySelectorAll('[data-field]').forEach((holder) => {
      holder.dataset.before = JSON.stringify(valuesOf(holder));
    });
  }

  async function saveFields(box) {
    const values = {};
    box.querySelectorAll('[data-field]').forEach((holder) => {
      const now = valuesOf(holder);
      if (JSON.stringify(now) !== holder.dataset.before) {
        values[holder.dataset.field] = holder.dataset.repeated ? now : now[0] || null;
      }
    });
    await app.talk.json('PUT', app.profile.path('/fields'), { values: values });
    return '已保存';
  }

  function valuesOf(holder) {
    return Array.from(holder.querySelectorAll('input, select'))
      .filter((field) => field.type !== 'checkbox' || field.checked)
      .map((field) => field.value.trim())
      .filter(Boolean);
  }

  /* Add one more line to a list of values: an empty twin of the last. */
  function addValue(pressed) {
    const last = pressed.parentElement.querySelector('[data-value]:last-of-type');
    const twin = last.cloneNode(true);
    twin.querySelector('input').value = '';
    last.after(twin);
    twin.querySelector('input').focus();
  }

  async function older(pressed) {
    pressed.disabled = true;
    try {
      const html = await app.talk.html(app.profile.path('/timeline?before=' + encodeURIComponent(pressed.dataset.before)));
      const holder = document.createElement('template');
      holder.innerHTML = html; // our own template
      const list = document.getElementById('timeline');
      const first = holder.content.querySelector('li');
      pressed.closest('[data-more]').remove();
      list.append(holder.content);
      if (first) {
        first.tabIndex = -1;
        first.focus();
      }
    } catch (problem) {
      pressed.disabled = false;
      layers.toast(app.worded(problem));
    }
  }

  Object.assign(app.actions, {
    'write-follow-up': openFollowUp,
    'follow-up-day': pickPreset,
    'follow-up-done': markDone,
    'follow-up-remove': removeFollowUp,
    'edit-remark': openRemark,
    'edit-fields': openFields,
    'add-value': addValue,
    'save-form': submit,
    older: older,
  });
})((window.sidebar = window.sidebar || {}));
