/* The client's side of /diag: what it is, and how each step towards the customer went. */
(function (app) {
  'use strict';

  const list = document.getElementById('client');
  const copy = document.getElementById('copy');

  function line(name, value, good) {
    const holder = document.createElement('div');
    const term = document.createElement('dt');
    const text = document.createElement('dd');
    term.textContent = name;
    if (good !== undefined) {
      const badge = document.createElement('span');
      badge.className = good ? 'badge' : 'badge badge-bad';
      badge.textContent = good ? '正常' : '注意';
      text.append(badge, ' ');
    }
    text.append(value);
    holder.append(term, text);
    list.append(holder);
  }

  async function run() {
    list.textContent = '';
    const version = (navigator.userAgent.match(/wxwork\/([\d.]+)/i) || [])[1];
    line('UA', navigator.userAgent);
    line('企业微信', version || '不在企业微信里', Boolean(version));
    line('JS-SDK', window.ww ? window.ww.SDK_VERSION || '已加载' : '没有加载（客户端太旧，或脚本被拦截）', Boolean(window.ww));
    line('本页地址（浏览器看到的）', location.href.split('#')[0]);
    if (app.setup.url) line('签名的地址', app.setup.url, app.setup.url === location.href.split('#')[0]);
    let problem = null;
    let found = null;
    if (app.setup.corpId) {
      try {
        found = await app.client.look();
      } catch (error) {
        problem = error;
      }
    }
    app.client.steps.forEach((step) => line(step.name, step.outcome, /(ok|yes)$/.test(step.outcome)));
    if (found) line('入口', (found.entry || '未知') + (found.sends ? '，可以发送内容' : '，不能发送内容'), true);
    if (found) line('客户', found.customer, true);
    if (problem) line('结果', problem.state + (problem.detail ? '：' + problem.detail : ''), false);
    list.dataset.done = 'yes';
  }

  function text() {
    return Array.from(document.querySelectorAll('.checks > div'), (item) => {
      return item.querySelector('dt').textContent + ': ' + item.querySelector('dd').textContent.trim();
    }).join('\n');
  }

  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      copy.textContent = '已复制';
    } catch (error) {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById('main'));
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      copy.textContent = document.execCommand('copy') ? '已复制' : '请长按复制';
    }
  });

  run();
})((window.sidebar = window.sidebar || {}));
